"""The cache of weights: what is pinned gets in whole, and nothing else ever does."""

import dataclasses
import os
import re
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import jax
import numpy as np
import pytest
from safetensors import numpy as numpy_file

from tipim_jax.networks import get, names
from tipim_jax.networks.origin import Download, NpmMember, WheelMember
from weights_convert import (
    ConversionError,
    checkpoint,
    conversion,
    convert,
    home,
    is_cached,
    licences,
    load,
    obtain,
)
from weights_convert.__main__ import main
from weights_convert.origins import cached_path
from weights_convert.readers import FORMATS, file_format, read, torch_reader
from weights_convert.tables import tables

# Small, of every format that a test reads, free to use, and to be had by `pip`.
NAMES = ("mobileface", "sface", "dlib")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache; gives its files, without the locks, whenever it is called."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("TIPIM_JAX_HOME", str(folder))
    return lambda: sorted(
        path for path in folder.rglob("*") if path.is_file() and path.parent.name != "locks"
    )


@pytest.fixture(scope="session")
def originals():
    """The networks' original files by name, in the user's own cache."""
    return {name: obtain(get(name).weights) for name in NAMES}


@pytest.fixture
def mobileface(originals, cache):
    """Puts mobileface's original file into the empty cache, so that nothing is downloaded."""
    place = cached_path(get("mobileface").weights)
    place.parent.mkdir(parents=True)
    place.write_bytes(originals["mobileface"].read_bytes())
    return get("mobileface")


def test_what_a_killed_process_left_goes_after_a_day(cache, mobileface):
    fresh, stale = home() / "partial-fresh", home() / "partial-stale"
    for folder, age in ((fresh, 3600), (stale, 100_000)):
        folder.mkdir()
        (folder / "half").touch()
        os.utime(folder, (time.time() - age,) * 2)
    convert("mobileface")
    assert (fresh / "half").exists()
    assert not stale.exists()


def test_cache_that_cannot_be_made_is_named_with_the_way_out(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("TIPIM_JAX_HOME", str(tmp_path / "file" / "cache"))
    with pytest.raises(ConversionError, match=r"cannot make the cache .*set TIPIM_JAX_HOME"):
        home()


@pytest.mark.parametrize("name", NAMES)
def test_network_is_loaded_with_the_shapes_that_it_declares(name):
    declared = jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), get(name).abstract_variables())
    found = jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), load(name))
    assert found == declared


def test_loaded_is_what_was_converted_and_damage_is_noticed_and_repaired(mobileface, capsys):
    converted = convert("mobileface")
    capsys.readouterr()
    jax.tree.map(np.testing.assert_array_equal, load("mobileface"), converted)
    assert capsys.readouterr().err == ""
    place = _checkpoint(mobileface)
    whole = place.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    for damaged, complaint in (
        (flipped, "does not hold what was written to it; converting mobile"),
        (whole[: len(whole) // 2], "converting mobile"),
        (b"", "converting mobile"),
        (numpy_file.save({"a": np.zeros(2)}), "converting mobile"),  # no digest
    ):
        place.write_bytes(damaged)
        jax.tree.map(np.testing.assert_array_equal, load("mobileface"), converted)
        assert complaint in capsys.readouterr().err
        load("mobileface")
        assert capsys.readouterr().err == ""


def test_conversion_that_breaks_off_leaves_no_checkpoint(mobileface, cache, monkeypatch):
    before = cache()

    def write_half(place, content):
        with open(place, "wb") as file:
            file.write(content[: len(content) // 2])
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", write_half)
    with pytest.raises(KeyboardInterrupt):
        convert("mobileface")
    assert not is_cached(mobileface)
    assert cache() == before


def test_two_conversions_at_once_both_succeed(mobileface):
    command = [sys.executable, "-m", "weights_convert", "mobileface"]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert is_cached(mobileface)
    checkpoint.load(mobileface, mobileface.weights.sha256)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", NAMES)
def test_file_of_another_kind_is_one_error(name, form, originals):
    path = originals[name]
    if form == file_format(path):
        assert read(path, form)
    else:
        with pytest.raises(ConversionError, match=path.name):
            read(path, form)


@pytest.mark.parametrize("name", names())
def test_registry_entry_is_sound(name):
    network = get(name)
    assert network.name == name
    assert names().count(name) == 1
    assert re.fullmatch("[a-z0-9-]+", name)
    assert tables(network)
    for threshold in (network.threshold, *(p.cosine for p in network.published_thresholds)):
        assert threshold is None or 0 < threshold < 1
    assert all(published.protocol for published in network.published_thresholds)
    assert (network.mean is None) == (network.std is None)
    assert network.mean is None or len(network.mean) == len(network.std) == network.channels
    assert network.licence
    assert network.origin.startswith("https://")
    match network.weights:
        case WheelMember(wheel_sha256=envelope, sha256=digest):
            hashes = [envelope, digest]
        case NpmMember(tarball_sha256=envelope, sha256=digest):
            hashes = [envelope, digest]
        case Download(url=url, sha256=digest):
            assert re.match("https?://", url)
            hashes = [digest] if digest else []
        case None:
            hashes = []
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in hashes)
    if network.weights:
        assert cached_path(network.weights).name


def test_no_two_networks_share_a_file():
    hashes = [get(name).weights.sha256 for name in names() if get(name).weights]
    hashes = [digest for digest in hashes if digest]
    assert len(hashes) == len(set(hashes))


# The user's own file


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
    assert "`python -m weights_convert mobileface` goes back" in said
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
        with pytest.raises(ConversionError, match=r"weights_convert irse50 --from FILE.*PyTorch"):
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


# Licences


def test_weights_of_limited_use_are_neither_converted_nor_loaded_unawares(cache):
    network = get("edgeface")
    for ask in (load, convert, lambda name: convert(name, file=Path("none"))):
        match = rf"{network.licence}, {network.origin}.*weights_convert edgeface --accept-licence`"
        with pytest.raises(ConversionError, match=match):
            ask("edgeface")
    assert cache() == []


def test_accepted_licence_holds_until_it_changes(cache):
    network = get("edgeface")
    licences.accept(network)
    licences.require(network)
    assert network.licence in cache()[0].read_text()
    for other in (
        dataclasses.replace(network, licence="another"),
        get("w600k"),
    ):
        with pytest.raises(ConversionError, match=other.licence[:7]):
            licences.require(other)


def test_licences_are_accepted_by_a_variable_where_nobody_can_be_asked(cache, monkeypatch):
    monkeypatch.setenv("TIPIM_JAX_ACCEPT_LICENCES", "w600k, edgeface")
    licences.require(get("w600k"))
    licences.require(get("edgeface"))
    assert not licences.accepted(get("insightface-r50"))
    assert licences.accepted(get("mobileface"))
    assert cache() == []


def _checkpoint(network):
    """Where the conversion of the published file is kept."""
    return checkpoint.path(network, network.weights.sha256)
