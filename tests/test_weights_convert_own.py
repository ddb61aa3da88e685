"""Weights that the user brings for a network, which are used in place of the published ones."""

import dataclasses
import os
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from tipim_jax.networks import get
from weights_convert import (
    ConversionError,
    checkpoint,
    conversion,
    convert,
    home,
    is_cached,
    load,
)
from weights_convert.__main__ import main
from weights_convert.origins import cached_path
from weights_convert.readers import torch_reader


@pytest.fixture
def retrained(originals, tmp_path):
    """The user's own mobileface: the published one, in which one value is another."""
    data = bytearray(originals["mobileface"].read_bytes())
    place = data.index(_first_weights(torch_reader.read(originals["mobileface"])))
    data[place : place + 4] = np.float32(0.5).tobytes()
    path = tmp_path / "retrained.pth"
    path.write_bytes(data)
    return path


def _first_weights(weights):
    return weights["conv1.conv.weight"].tobytes()


def _is_own(variables):
    return bool((variables["params"]["stem"]["conv"]["kernel"] == 0.5).any())


def test_published_file_that_the_user_has_needs_no_network(originals, cache, tmp_path, capsys):
    file = tmp_path / "mine.pth"
    file.write_bytes(originals["mobileface"].read_bytes())
    assert main(["mobileface", "--from", str(file)]) == 0
    said = capsys.readouterr().err.splitlines()
    assert said == ["converting mobileface (1/1) …", "converting mobileface (1/1): done"]
    assert is_cached(get("mobileface"))
    assert cached_path(get("mobileface").weights) in cache()


def test_own_file_is_used_until_the_published_one_is_asked_for(mobileface, retrained, capsys):
    assert main(["mobileface", "--from", str(retrained)]) == 0
    said = capsys.readouterr().err.splitlines()[-1]
    assert str(retrained) in said
    assert sha256(retrained.read_bytes()).hexdigest() in said
    assert f"is not the published {mobileface.weights.sha256}" in said
    assert "`tipim weights mobileface` goes back" in said
    retrained.unlink()
    assert is_cached(mobileface)
    assert _is_own(load("mobileface"))
    assert main(["mobileface"]) == 0
    assert not _is_own(load("mobileface"))
    assert not (home() / "own" / "mobileface" / "weights").exists()


def test_own_file_is_converted_again_by_newer_code(mobileface, retrained, monkeypatch, capsys):
    convert("mobileface", file=retrained)
    retrained.unlink()
    monkeypatch.setattr(checkpoint, "_version", lambda _: "newer")
    assert not is_cached(mobileface)
    assert _is_own(load("mobileface"))
    assert is_cached(mobileface)


def test_own_file_that_left_the_cache_is_not_silently_replaced(mobileface, retrained, monkeypatch):
    convert("mobileface", file=retrained)
    monkeypatch.setattr(checkpoint, "_version", lambda _: "newer")
    copy = home() / "own" / "mobileface" / "weights"
    for change in (lambda: copy.write_bytes(b"damaged"), copy.unlink):
        change()
        with pytest.raises(
            ConversionError, match=r"give the file again: .* mobileface --from FILE"
        ):
            load("mobileface")
    (copy.parent / "sha256").write_text("nonsense")
    with pytest.raises(ConversionError, match=r"own/mobileface/sha256.*delete this file"):
        load("mobileface")


@pytest.mark.parametrize("content", ["sface", b"", b"garbage", "half", "nan", None])
def test_file_that_does_not_convert_leaves_the_cache_as_it_was(
    content, originals, retrained, cache, tmp_path, capsys
):
    file = tmp_path / "mine"
    if content == "sface":
        file = originals["sface"]
    elif content == "half":
        file.write_bytes(retrained.read_bytes()[:1_000_000])
    elif content == "nan":
        whole = retrained.read_bytes()
        place = whole.index(_first_weights(torch_reader.read(retrained)))
        file.write_bytes(whole[:place] + np.float32(np.nan).tobytes() + whole[place + 4 :])
    elif content is not None:
        file.write_bytes(content)
    assert main(["mobileface", "--from", str(file)]) == 1
    said = capsys.readouterr()
    assert f"error: cannot read {file}" in said.err or f"error: {file}" in said.err
    assert "Traceback" not in said.err
    assert said.out == ""
    assert cache() == []


def test_file_that_is_no_file_is_named(cache, tmp_path):
    for path in (tmp_path, Path(os.devnull), tmp_path / "missing"):
        with pytest.raises(ConversionError, match=f"cannot read {path}: there is no such file"):
            convert("mobileface", file=path)


def test_network_that_nobody_publishes_asks_for_a_file(cache):
    for ask in (load, convert):
        with pytest.raises(ConversionError, match=r"tipim weights irse50 --from FILE.*PyTorch"):
            ask("irse50")
    assert not is_cached(get("irse50"))
    assert cache() == []


def test_network_that_nobody_publishes_keeps_the_users_file(
    mobileface, retrained, monkeypatch, capsys
):
    private = dataclasses.replace(mobileface, name="private", weights=None)
    monkeypatch.setattr(conversion, "get", lambda _: private)
    convert("private", file=retrained)
    assert "no hash is published" in capsys.readouterr().err
    retrained.unlink()
    assert _is_own(convert("private"))
    assert _is_own(load("private"))
