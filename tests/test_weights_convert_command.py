"""`python -m weights_convert`: `list`, `export` and `embed`, as people use and misuse them."""

import re
from pathlib import Path

import numpy as np
import pytest

from tests.command_errors import assert_error
from tipim_jax.networks import get, names
from weights_convert import load, obtain
from weights_convert.__main__ import main


@pytest.fixture(scope="module")
def golden():
    """Faces with the embeddings that the original frameworks give them."""
    with np.load(Path(__file__).parent / "golden" / "networks" / "faces.npz") as arrays:
        return dict(arrays)


@pytest.fixture
def crops(tmp_path):
    """Writes a file of crops and gives its path."""

    def write(array):
        np.save(tmp_path / "crops.npy", array)
        return tmp_path / "crops.npy"

    return write


@pytest.fixture
def no_weights(monkeypatch):
    """Whoever asks for weights fails: a fault has to be found before them."""

    def fail(*_):
        raise AssertionError("weights were asked for")

    monkeypatch.setattr("tipim_jax.evaluate.embed.variables", fail)
    monkeypatch.setattr("tipim_jax.evaluate.verify.variables", fail)
    monkeypatch.setattr("weights_convert.export.variables", fail)


# list


def test_list_has_every_network_and_fits_into_80_columns(capsys):
    load("mobileface")
    assert main(["list"]) == 0
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 80
    lines = [line.split() for line in said.splitlines()]
    for name in names():
        network, first = get(name), next(n for n, line in enumerate(lines) if line[:1] == [name])
        assert f"{network.embedding_size}," in lines[first]
        assert network.architecture in lines[first + 1]
    of = {name: "\n".join(said.split(f" {name} ")[1].splitlines()[:3]) for name in names()}
    assert "automatic" in of["mobileface"]
    assert "yes" in of["mobileface"].split()
    assert "download" in of["arcface"]
    assert "--from FILE" in of["adaface-ir50"]
    assert "no" in of["adaface-ir50"].split()
    assert "--accept-licence" in of["edgeface"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "required: NAME"),
        (["list", "mobileface"], "`list` goes alone"),
        (["nobody"], "no network is called 'nobody'; known are mobileface"),
        (["mobileface", "dlib", "--from", "file"], "the name of one network"),
        (["export", "nobody", "--output", "b.safetensors"], "'nobody'; known are"),
        (["export", "mobileface"], "required: --output"),
        (["export", "mobileface", "sface", "--output", "b"], "unrecognized"),
        (["embed", "nobody", "--inputs", "a.npy", "--output", "b.npy"], "'nobody'; known are"),
        (["embed", "mobileface", "--inputs", "a.npy"], "required: --output"),
        (["embed", "mobileface", "sface", "--inputs", "a", "--output", "b"], "unrecognized"),
        (["verify", "nobody", "--all-pairs", "--lfw", "."], "'nobody'; known are"),
        (["verify", "mobileface", "--lfw", "."], "one of the arguments --pairs --all-pairs"),
        (["verify", "mobileface", "--pairs", "a", "--all-pairs", "--lfw", "."], "not allowed"),
        (["verify", "mobileface", "--all-pairs"], "required: --lfw"),
        (["verify", "a", "b", "--from", "c", "--all-pairs", "--lfw", "."], "no network is called"),
        (["verify", "sface", "dlib", "--from", "c", "--all-pairs", "--lfw", "."], "of one network"),
        (["verify", "sface", "--all-pairs", "--lfw", ".", "--json", "no/j.json"], "--json no/j"),
        (["verify", "sface", "--pairs", "p", "--lfw", ".", "--json", "p"], "over what is read"),
    ],
)
def test_wrong_usage_has_exit_status_2(arguments, said, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--from", "w600k.onnx"],
        ["export", "--output", "b.safetensors"],
        ["embed", "--inputs", "a.npy", "--output", "b.npy"],
        ["verify", "--all-pairs", "--lfw", "."],
    ],
)
def test_weights_of_limited_use_are_obtained_by_nobody_unawares(
    arguments, tmp_path, monkeypatch, capsys, no_weights
):
    monkeypatch.setenv("TIPIM_JAX_HOME", str(tmp_path))
    command = [word for word in arguments[:1] if not word.startswith("--")]
    assert main([*command, "w600k", *arguments[len(command) :]]) == 1
    assert_error(capsys, f"w600k .*{re.escape(get('w600k').licence)}.*add --accept-licence")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("command", [[], ["export"], ["embed"], ["verify"]])
def test_help_shows_an_example(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([*command, "--help"])
    assert stop.value.code == 0
    said = capsys.readouterr().out
    assert f"  tipim weights {' '.join(command)}" in said
    assert "--accept-licence" in said


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    said = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.strip()]
    for command in ("fetch", "list", "NAME", "export", "embed", "verify"):
        assert command in said


# embed


def test_embed_writes_what_the_original_framework_gives(golden, crops, tmp_path, capsys):
    """More than a batch of them, and not a whole number of batches."""
    file = crops(np.tile(golden["crops"], (5, 1, 1, 1))[:18])
    output = tmp_path / "embeddings.npy"
    assert main(["embed", "mobileface", "--inputs", str(file), "--output", str(output)]) == 0
    found = np.load(output)
    assert (found.dtype, found.shape) == (np.float32, (18, 512))
    expected = golden["mobileface"] / np.linalg.norm(golden["mobileface"], axis=1, keepdims=True)
    np.testing.assert_allclose(found, np.tile(expected, (5, 1))[:18], atol=2e-5)
    said = capsys.readouterr()
    assert said.out == f"{output}: float32 [18, 512], mobileface\n"
    assert "embedding 18 faces with mobileface" in said.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["crops.npy", "embeddings.npy"]


def test_embed_takes_a_networks_own_size_and_a_file_for_one_run(
    golden, crops, tmp_path, monkeypatch
):
    weights = obtain(get("dlib").weights)
    monkeypatch.setenv("TIPIM_JAX_HOME", str(tmp_path / "cache"))
    output = tmp_path / "embeddings.npy"
    arguments = ["--inputs", str(crops(golden["chips"])), "--output", str(output)]
    assert main(["embed", "dlib", *arguments, "--from", str(weights)]) == 0
    expected = golden["dlib"] / np.linalg.norm(golden["dlib"], axis=1, keepdims=True)
    np.testing.assert_allclose(np.load(output), expected, atol=2e-5)
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


def test_embed_of_no_faces_is_an_empty_array(crops, tmp_path, monkeypatch):
    monkeypatch.setattr("tipim_jax.evaluate.embed.variables", lambda *_: None)
    output = tmp_path / "embeddings.npy"
    file = crops(np.zeros((0, 112, 112, 3), np.uint8))
    assert main(["embed", "mobileface", "--inputs", str(file), "--output", str(output)]) == 0
    assert np.load(output).shape == (0, 512)


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((2, 112, 112, 3), np.float32), "holds float32 .*rint"),
        (np.zeros((112, 112, 3), np.uint8), r"holds uint8 \[112, 112, 3\].*x\[None\]"),
        (np.zeros((2, 3, 112, 112), np.uint8), "channels come last"),
        (np.zeros((2, 112, 112, 1), np.uint8), r"takes uint8 \[N, 112, 112, 3\] or uint8 \[N, 150"),
        (np.zeros((2, 160, 160, 3), np.uint8), r"holds uint8 \[2, 160, 160, 3\]"),
        (np.array(3, np.uint8), r"holds uint8 \[\]"),
        (np.zeros(3, "U4"), "holds <U4"),
    ],
)
def test_embed_refuses_other_arrays_and_says_what_it_takes(
    array, said, crops, tmp_path, capsys, no_weights
):
    arguments = ["--inputs", str(crops(array)), "--output", str(tmp_path / "out.npy")]
    assert main(["embed", "dlib", *arguments]) == 1
    assert_error(capsys, rf"crops\.npy .*{said}")
    assert not (tmp_path / "out.npy").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot read .*: No such file"),
        (b"", "is no whole"),
        (b"no array", "is no whole"),
        (b"\x93NUMPY\x01\x00\x10\x00{'descr': import}", "is no whole"),
        ("half", "is no whole"),
        ("objects", "is no whole"),
        ("several", "is no whole"),
    ],
)
def test_embed_refuses_files_that_are_no_array(content, said, tmp_path, capsys, no_weights):
    file = tmp_path / "crops.npy"
    if content == "half":
        np.save(file, np.zeros((4, 112, 112, 3), np.uint8))
        file.write_bytes(file.read_bytes()[:50_000])
    elif content == "objects":
        np.save(file, np.array([{}, None]), allow_pickle=True)
    elif content == "several":
        with open(file, "wb") as stream:
            np.savez(stream, crops=np.zeros((4, 112, 112, 3), np.uint8))
    elif content is not None:
        file.write_bytes(content)
    arguments = ["--inputs", str(file), "--output", str(tmp_path / "out.npy")]
    assert main(["embed", "mobileface", *arguments]) == 1
    assert_error(capsys, said)


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("none/out.npy", "there is no folder"),
        (".", "it is a folder"),
        ("crops.npy", "written over what is read"),
    ],
)
def test_embed_finds_an_impossible_output_before_the_work(
    output, said, crops, tmp_path, capsys, no_weights
):
    file = crops(np.zeros((2, 112, 112, 3), np.uint8))
    before = file.read_bytes()
    arguments = ["--inputs", str(file), "--output", str(tmp_path / output)]
    assert main(["embed", "mobileface", *arguments]) == 1
    assert_error(capsys, said)
    assert file.read_bytes() == before


def test_embed_that_is_stopped_leaves_the_older_output(crops, tmp_path, monkeypatch, capsys):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("tipim_jax.evaluate.embed.variables", lambda *_: None)
    monkeypatch.setattr("tipim_jax.evaluate.embed.embedder", lambda *_: stop)
    (tmp_path / "out.npy").write_bytes(b"older")
    file = crops(np.zeros((2, 112, 112, 3), np.uint8))
    arguments = ["--inputs", str(file), "--output", str(tmp_path / "out.npy")]
    assert main(["embed", "mobileface", *arguments]) == 130
    assert "stopped" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["crops.npy", "out.npy"]
    assert (tmp_path / "out.npy").read_bytes() == b"older"
