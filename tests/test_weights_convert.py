"""The cache of weights: what is pinned gets in whole, and nothing else ever does."""

import dataclasses
import os
import re
import subprocess
import sys
import time
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
    convert,
    home,
    is_cached,
    licences,
    load,
)
from weights_convert.fill import Table, fill
from weights_convert.origins import cached_path
from weights_convert.readers import FORMATS, file_format, read
from weights_convert.tables import tables

# Small, of every format that a test reads, free to use, and to be had by `pip`.
NAMES = ("mobileface", "sface", "dlib")


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


def test_a_file_that_does_not_fit_is_refused_with_all_its_faults():
    wanted = {
        "params": {
            name: jax.ShapeDtypeStruct((2,), np.float32) for name in ("a", "b", "c", "empty")
        }
    }
    source = {
        "first": np.zeros(2),
        "wide": np.zeros(3),
        "broken": np.array([1.0, np.nan]),
        "spare": np.zeros(1),
        "scale": np.array(3.0),
    }
    table = Table(
        "torch",
        weights={
            "first": ("params/a", lambda array: array),
            "wide": ("params/b", lambda array: array),
            "broken": ("params/c", lambda array: array),
            "absent": ("params/a", lambda array: array),
        },
        constants={"scale": np.array(2.0)},
    )
    with pytest.raises(ConversionError) as refused:
        fill(wanted, source, table)
    text = str(refused.value)
    for fault in (
        "wide: shape (3,)",
        "broken: 1 of 2 values are NaN or infinite",
        "absent: not in the file",
        "scale: is 3.0, expected 2.0",
        "spare: in the file, but nothing uses it",
        "params/empty: nothing fills it",
        "6 faults",
    ):
        assert fault in text
    assert "first" not in text


# Licences


def test_weights_of_limited_use_are_neither_converted_nor_loaded_unawares(cache):
    network = get("edgeface")
    for ask in (load, convert, lambda name: convert(name, file=Path("none"))):
        match = rf"{network.licence}, {network.origin}.*`tipim weights edgeface --accept-licence`"
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
