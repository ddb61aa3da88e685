"""What may be asked of the attack command, and what it says of what may not."""

import dataclasses
import importlib
from pathlib import Path

import pytest

from tests.attack_cases import attack
from tipim_jax.attack import settings
from tipim_jax.attack.__main__ import main
from tipim_jax.engine.defaults import STRENGTHS, SURROGATES
from tipim_jax.method import TipIm

CONFIGS = Path(__file__).parents[1] / "configs"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere does not exist"),
        (["--epsilon", "300"], "epsilon is 300.0; expected a value in [0, 255]"),
        (["--batch-size", "0"], "--batch-size is 0; expected at least 1"),
        (["--config", "missing.toml"], "--config missing.toml cannot be read"),
        (["--targets", "EMPTY"], "holds no photos"),
        (["--gallery", "EMPTY"], "one folder for each person"),
        (["EMPTY"], "no photos in"),
        (["EMPTY"], "/trip[old] [/red]; expected JPEG"),
        (["--num-processes", "2"], "--coordinator, --num-processes and --process-id go together"),
        (["--output", "FILE"], "is no folder that can be written to"),
        (["--smallest", "-1"], "--smallest is -1; expected 0 pixels or more"),
        (["--strength", "strong", "--preset", "fast"], "are two names of one setting"),
        (["EMPTY", "--watch", "EMPTY"], "goes without photos and other folders"),
    ],
)
def test_what_cannot_work_is_refused_in_one_line(arguments, message, tmp_path, capsys):
    empty = tmp_path / "trip[old] [" / "red]"  # what Rich would read as markup
    empty.mkdir(parents=True)
    file = tmp_path / "file"
    file.touch()
    stands_for = {"EMPTY": empty, "FILE": file}
    arguments = [stands_for.get(argument, argument) for argument in arguments]
    status, said = attack("--output", tmp_path / "out", *arguments, capsys=capsys)
    assert status == 1
    assert message in " ".join(said.err.split())
    assert "Traceback" not in said.err


@pytest.mark.parametrize("arguments", [["--surrogate", "facenoet"], ["--iterations", "many"]])
def test_an_unknown_network_or_no_number_is_a_usage_error(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert arguments[1] in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "flag"),
    [  # with what would be refused later
        ("attack nowhere", "--strength"),
        ("attack nowhere", "--preset"),
        ("attack nowhere", "--batch-size"),
        ("sweep nowhere.toml", "--dtype"),
        ("app --port 70000", "--iterations"),
    ],
)
@pytest.mark.parametrize("value", ["None", "much"])
def test_none_is_no_value_and_is_not_offered(command, flag, value, capsys):
    """In Python it stands for what was not given."""
    command, *more = command.split()
    with pytest.raises(SystemExit) as stop:
        importlib.import_module(f"tipim_jax.{command}.__main__").main([*more, flag, value])
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert flag in said and "None" not in said.replace("'None'", "", 2 * (value == "None"))


def test_help_teaches(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    for word in ("examples:", "--surrogate", "--gamma", "--config", "mobileface, sface, dlib"):
        assert word in text


@pytest.mark.parametrize("name", settings.PRESETS)
def test_each_preset_has_a_configuration_file_that_says_the_same(name):
    by_file = settings.parse(["--config", str(CONFIGS / f"{name}.toml")])
    by_name = settings.parse(["--preset", name])
    assert by_file.method == by_name.method == settings.PRESETS[name]()
    assert by_file.surrogates == by_name.surrogates
    assert by_file.recognisers == by_name.recognisers
    assert dataclasses.replace(by_file, surrogate=(), config=None) == by_name


@pytest.mark.parametrize("name", [name for name in STRENGTHS if name in settings.PRESETS])
def test_a_strength_is_another_name_of_a_preset(name, tmp_path):
    by_preset = settings.parse(["--preset", name])
    assert settings.parse(["--strength", name]) == by_preset
    assert settings.parse([f"--strength={name}", "--preset", name]) == by_preset
    assert by_preset.surrogates == SURROGATES
    path = tmp_path / "mine.toml"
    path.write_text(f'strength = "{name}"\n')
    assert settings.parse(["--config", str(path)]).method == by_preset.method
    path.write_text('preset = "paper"\n')
    by_flag = settings.parse(["--config", str(path), "--strength", name])
    assert dataclasses.replace(by_flag, config=None) == by_preset


def test_one_compiled_program_serves_all_strengths():
    assert len({settings.PRESETS[name]().without_numbers for name in STRENGTHS}) == 1


def test_each_strength_has_a_line_in_the_help(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    said = capsys.readouterr().out.splitlines()
    for name, what in STRENGTHS.items():
        assert sum(line.split() == [name, *what.split()] for line in said) == 1


def test_whose_faces_are_masked_can_be_said_by_flags_and_in_a_file(tmp_path):
    flags = ["--only", "me.jpg", "--only", "ann.jpg", "--except", "bob.jpg", "--smallest", "40"]
    path = tmp_path / "mine.toml"
    path.write_text('only = ["me.jpg", "ann.jpg"]\nexcepted = ["bob.jpg"]\nsmallest = 40\n')
    for arguments in (flags, ["--config", str(path)]):
        found = settings.parse(arguments)
        assert found.only == (Path("me.jpg"), Path("ann.jpg"))
        assert found.excepted == (Path("bob.jpg"),) and found.smallest == 40
    assert settings.parse(["-", "--verbose"]).paths == (settings.PIPE,)


def test_published_variants_are_of_fewer_networks_unless_others_are_named():
    assert settings.parse(["--preset", "paper"]).surrogates == ("mobileface", "sface")
    assert settings.parse([]).surrogates == SURROGATES
    named = settings.parse(["--preset", "paper", "--surrogate", "dlib"])
    assert named.surrogates == ("dlib",)
    more = settings.parse(
        ["--surrogate", "research", "--surrogate", "dlib", "--surrogate", "sface"]
    )
    assert more.surrogates == (*SURROGATES, "w600k", "edgeface", "dlib")
    assert more.recognisers == (*more.surrogates, "lightcnn")


def test_the_strong_masks_are_the_default_whatever_starts_from_them(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("[method]\nepsilon = 7\n")
    method = TipIm.strong()
    for arguments, preset, wanted in (
        ([], "strong", method),
        (["--iterations", "3"], "strong", dataclasses.replace(method, iterations=3)),
        (["--config", str(file)], "strong", dataclasses.replace(method, epsilon=7.0)),
        (["--strength", "subtle"], "subtle", TipIm.subtle()),
        (["--preset", "official"], "official", TipIm.official()),
        (["--config", str(CONFIGS / "fast.toml")], "fast", TipIm.fast()),
    ):
        found = settings.parse(arguments)
        assert found.method == wanted and found.preset == preset
    assert settings.Attack().method == method


def test_flags_win_over_the_file_and_the_file_over_the_preset(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('preset = "paper"\nsurrogate = ["dlib"]\nseed = 5\n[method]\nepsilon = 7\n')
    found = settings.parse(["--config", str(path), "--iterations", "3"])
    assert found.method == dataclasses.replace(TipIm.paper(), epsilon=7.0, iterations=3)
    assert found.surrogates == ("dlib",) and found.seed == 5
    assert settings.parse([f"--config={path}", "--surrogate", "sface"]).surrogates == ("sface",)
    assert settings.parse(["--preset", "paper"]).method == TipIm.paper()
    path.write_text('coordinator = "host:1"\nnum_processes = 2\nprocess_id = 0\noutput = "here"\n')
    found = settings.parse(["--config", str(path)])
    assert (found.coordinator, found.num_processes, found.process_id) == ("host:1", 2, 0)
    assert found.output == Path("here")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epsilon = 8", "epsilon is no setting"),
        ("[method]\nepsilon = 'much'", r"epsilon is 'much'; expected a value of type float"),
        ("preset = 'best'", "preset is 'best'; expected one of subtle, balanced, strong"),
        ("= 3", "is no TOML"),
        ("[method]\nnorm = 'l7'", "norm is 'l7'"),
        ("surrogate = ['facenoet']", "facenoet"),
        ("format = 'keep'", r"wrong.toml: format is 'keep'; expected one of same, png"),
        ("metadata = 'date'", "metadata is 'date'; expected one of none, dates, all"),
        ("dtype = 'half'", "dtype is 'half'; expected one of auto, float32, tf32, bfloat16"),
    ],
)
def test_a_mistake_in_a_configuration_file_is_named(text, message, tmp_path):
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(settings.SettingsError, match=message):
        settings.parse(["--config", str(path)])
