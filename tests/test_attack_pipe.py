"""`tipim protect -`: a photo from standard input to standard output."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.attack_cases import FAST
from tests.report_cases import photo, results
from tipim_jax.attack.__main__ import main
from tipim_jax.datasets import bundled

ROOT = Path(__file__).parents[1]


class Pipe(io.TextIOWrapper):
    def __init__(self, content=b""):
        super().__init__(io.BytesIO(content))


@pytest.fixture
def pipes(monkeypatch):
    """Puts something into standard input; gives what then comes out."""

    def of(content):
        monkeypatch.setattr(sys, "stdin", Pipe(content))
        monkeypatch.setattr(sys, "stdout", Pipe())
        return sys.stdout.buffer

    return of


@pytest.fixture
def ran(monkeypatch):
    """What the run is asked for; it writes the photo's copy, or what `wrote` says."""
    asked = []

    def run(settings, *others):
        (source,) = settings.paths
        asked.append((source, settings.output))
        settings.output.mkdir()
        (settings.output / "results.json").write_text("{}")
        (settings.output / ".tipim_jax").mkdir()
        if run.writes:
            copy = settings.output / f"{source.name}.jpg"
            copy.write_bytes(b"protected " + source.read_bytes())
        print("in the midst of it")
        return results([photo(0)] if run.writes else [])

    run.writes = True
    monkeypatch.setattr("tipim_jax.attack.run.run", run)
    return run, asked


def test_the_protected_photo_alone_goes_to_standard_output(pipes, ran, capfd):
    out = pipes(b"a photo")
    assert main(["-", "--preset", "fast"]) == 0
    assert out.getvalue() == b"protected a photo"
    said = capfd.readouterr().err
    assert "in the midst of it" in said and "protected: one face in one photo" in said
    ((source, output),) = ran[1]
    assert not source.exists() and not output.exists(), "nothing of it stays"


def test_nothing_goes_out_where_nothing_is_protected(pipes, ran, capfd):
    ran[0].writes = False
    out = pipes(b"a photo")
    assert main(["-", "--preset", "fast"]) == 3
    assert out.getvalue() == b""


@pytest.mark.parametrize(
    ("arguments", "content", "message"),
    [
        (["-"], b"", "standard input is empty"),
        (["-", "a.jpg"], b"a photo", "it goes without other photos"),
        (["-", "--watch", "."], b"a photo", "it goes without other photos"),
    ],
)
def test_what_cannot_go_through_a_pipe_is_refused(arguments, content, message, pipes, ran, capfd):
    out = pipes(content)
    assert main(arguments) == 1
    assert message in capfd.readouterr().err
    assert out.getvalue() == b"" and not ran[1]


def test_a_terminal_is_no_pipe(pipes, ran, monkeypatch, capfd):
    pipes(b"a photo")
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    assert main(["-"]) == 1
    assert "tipim protect - < photo.jpg > protected.jpg" in capfd.readouterr().err


@pytest.mark.thorough
def test_a_photo_goes_through_a_pipe_and_stays_a_photo():
    face = bundled.photos("Person_005")[0]
    with face.open("rb") as stream:
        done = subprocess.run(
            [sys.executable, "-m", "tipim_jax.command", "-", *FAST[:4], "--iterations", "2"],
            cwd=ROOT,
            stdin=stream,
            capture_output=True,
            env=os.environ,
        )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout[:3] == b"\xff\xd8\xff"
    assert done.stdout != face.read_bytes()
    assert b"protected: one face in one photo" in done.stderr
