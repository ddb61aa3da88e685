"""`python -m weights_convert export`: weights that others can load."""

import re
from hashlib import sha256
from pathlib import Path

import jax
import numpy as np
import pytest
from safetensors import safe_open

from tipim_jax.networks import get
from weights_convert import convert, export, load, obtain
from weights_convert.__main__ import main
from weights_convert.readers.torch_reader import read


@pytest.fixture(scope="module")
def original():
    """mobileface as it is published: a PyTorch file, which holds the numbers as they are."""
    return obtain(get("mobileface").weights)


def test_exported_numbers_are_those_of_the_original_file(original, tmp_path, capsys):
    output = tmp_path / "mobileface.safetensors"
    assert main(["export", "mobileface", "--output", str(output)]) == 0
    with safe_open(output, "numpy") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        about = file.metadata()
    assert about == {
        "network": "mobileface",
        "source_sha256": sha256(original.read_bytes()).hexdigest(),
        "licence": "MIT",
    }
    numbers = original.read_bytes()
    assert {array.dtype for array in arrays.values()} == {np.dtype(np.float32)}
    for name, array in arrays.items():
        if array.ndim == 4:  # PyTorch has them (out, in, rows, columns)
            array = array.transpose(3, 2, 0, 1)
        elif array.ndim == 3:  # (channels, 1, rows, columns)
            array = array.transpose(2, 0, 1)
        elif array.ndim == 2:
            array = array.T
        assert array.tobytes() in numbers, name
    assert sum(array.size for array in arrays.values()) == sum(
        leaf.size for leaf in jax.tree.leaves(load("mobileface"))
    )
    said = capsys.readouterr().out
    assert said == f"{output}: {len(arrays)} arrays, mobileface, licence: MIT\n"
    assert list(tmp_path.iterdir()) == [output]


def test_licence_of_the_users_own_weights_is_not_stated(original, tmp_path, monkeypatch):
    """They may come from anywhere, whatever the licence of the published ones is."""
    monkeypatch.setenv("TIPIM_JAX_HOME", str(tmp_path / "cache"))
    changed = bytearray(original.read_bytes())
    norm = np.asarray(read(original)["conv1.bn.weight"])
    place = changed.index(norm.tobytes())
    changed[place : place + 4] = np.float32(0.5).tobytes()
    own, output = tmp_path / "own.pth", tmp_path / "own.safetensors"
    own.write_bytes(changed)
    arguments = ["export", "mobileface", "--output", str(output)]
    for extra in (["--from", str(own)], []):
        if not extra:
            convert("mobileface", file=own)
        assert main([*arguments, *extra]) == 0
        with safe_open(output, "numpy") as file:
            assert file.get_tensor("params/stem/norm/scale")[0] == 0.5
            about = file.metadata()
        assert about["source_sha256"] == sha256(changed).hexdigest()
        assert about["licence"] == "not stated"


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("none/w.safetensors", "there is no folder .*none; make it"),
        (".", "it is a folder; name a file in it"),
        ("file", "would be written over what is read"),
    ],
)
def test_output_that_cannot_be_written_is_refused_before_the_work(
    output, said, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(export, "variables", lambda *_: pytest.fail("weights were asked for"))
    (tmp_path / "file").write_bytes(b"weights")
    arguments = ["mobileface", "--from", str(tmp_path / "file")]
    assert main(["export", *arguments, "--output", str(tmp_path / output)]) == 1
    assert re.search(f"^error: .*{said}", capsys.readouterr().err)
    assert (tmp_path / "file").read_bytes() == b"weights"


def test_export_that_breaks_off_leaves_what_was_there(tmp_path, monkeypatch, capsys):
    output = tmp_path / "w.safetensors"
    output.write_bytes(b"older")

    def write_half(place, content):
        with open(place, "wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError("no space left")

    monkeypatch.setattr(Path, "write_bytes", write_half)
    assert main(["export", "mobileface", "--output", str(output)]) == 1
    assert capsys.readouterr().err == "error: no space left\n"
    assert list(tmp_path.iterdir()) == [output]
    assert output.read_bytes() == b"older"
