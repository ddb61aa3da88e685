"""Disks that are full and photos that change: they cost what they must and no more."""

import contextlib
import hashlib
import resource
import shutil
import sys
import weakref
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from orbax.checkpoint import v1 as ocp
from PIL import Image

from tipim_jax.attack import saved
from tipim_jax.attack.measure import _Album
from tipim_jax.attack.saved import ProtectedPhoto, read_back
from tipim_jax.console import Console
from tipim_jax.engine import Journal, Protector, files, protect_files
from tipim_jax.engine.found import FaceOutcome, FoundPhoto, MaskedPhoto
from tipim_jax.engine.unfinished import Unfinished
from tipim_jax.method import State, TipIm
from tipim_jax.networks import get
from tipim_jax.photos import (
    TEMPLATE,
    Face,
    PhotoError,
    PhotoFile,
    decode_photo,
    encode_photo,
    read_photo,
    region,
    write_whole,
)
from weights_convert import ConversionError, checkpoint

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no limits on files' sizes")
FACE = Face(np.array([20, 20, 60, 60], np.float32), TEMPLATE.astype(np.float32), 0.9)
MATRIX = np.array([[1.0, 0, 0], [0, 1.0, 0]])
ROOM = 40_000  # bytes


@contextlib.contextmanager
def _little_room():
    """Files can be written up to a size, and not further: what comes after raises, as on a disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def full_disk():
    with _little_room():
        yield


class _Masks:
    """In place of a `Protector`: finds a face in the middle, and lightens it."""

    method = TipIm.fast()
    batch_size = 2

    def find_or_fault(self, source, *, first_frame):
        content = source.read_bytes()
        pixels = decode_photo(content, str(source)).pixels
        digest = hashlib.sha256(content).hexdigest()
        return FoundPhoto(source, None, digest, (FACE,), (region(pixels, MATRIX),))

    def masked(self, photos, **_):
        for photo in photos:
            masks = tuple(np.full(place.pixels.shape, 4.0, np.float32) for place in photo.regions)
            yield MaskedPhoto(photo, masks, (FaceOutcome(FACE, None, True),))


@pytest.fixture
def album(tmp_path):
    """Photos whose protected copies are small, larger than what there is room for, and small."""
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    grey = np.full_like(noise, 128)
    for name, pixels in (("a", grey), ("b", noise), ("c", grey)):
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    return [PhotoFile(tmp_path / f"{name}.png", Path(f"{name}.png")) for name in "abc"]


def _protected(album, output, masks=None):
    outputs = {file.source: output / file.source.name for file in album}
    journal = Journal(output, "settings")
    return protect_files(
        masks or _Masks(), album, outputs, journal, add_bar=lambda *_: lambda _: None
    )


def test_a_photo_for_which_there_is_no_room_costs_itself_alone(album, tmp_path, full_disk):
    output = tmp_path / "out"
    found = _protected(album, output)
    assert [source.name for source in found.photos] == ["a.png", "c.png"]
    ((source, reason),) = found.missed.items()
    assert source.name == "b.png"
    assert reason == f"cannot write {output / 'b.png'}: File too large"
    assert sorted(path.name for path in output.glob("*.png")) == ["a.png", "c.png"]
    assert not list(output.rglob("*.part"))


def test_when_there_is_room_again_the_rest_is_made(album, tmp_path):
    with _little_room():
        _protected(album, tmp_path / "out")
    found = _protected(album, tmp_path / "out")
    assert len(found.photos) == 3 and not found.missed
    assert found.faces == 1


@pytest.mark.parametrize("how", ["deleted", "replaced"])
def test_a_photo_that_goes_or_changes_meanwhile_costs_itself_alone(how, album, tmp_path):
    other = album[2].source.read_bytes()[:-1]

    class Masks(_Masks):
        def find_or_fault(self, source, *, first_frame):
            found = super().find_or_fault(source, first_frame=first_frame)
            if source.name == "b.png":
                source.unlink() if how == "deleted" else source.write_bytes(other)
            return found

    found = _protected(album, tmp_path / "out", Masks())
    assert [source.name for source in found.photos] == ["a.png", "c.png"]
    ((source, reason),) = found.missed.items()
    assert (
        reason
        == {
            "deleted": f"cannot read {source}: No such file or directory",
            "replaced": f"{source} was changed while it was being protected; run this again",
        }[how]
    )
    assert not (tmp_path / "out" / "b.png").exists()


def test_a_photo_too_large_for_the_memory_costs_itself_alone(album, tmp_path, monkeypatch):
    def encoding(photo, target, **how):
        if target.name == "b.png":
            raise MemoryError
        return encode_photo(photo, target, **how)

    monkeypatch.setattr(files, "encode_photo", encoding)
    found = _protected(album, tmp_path / "out")
    assert [source.name for source in found.photos] == ["a.png", "c.png"]
    assert [*found.missed.values()] == ["it takes more memory than there is"]

    def finding(*_, first_frame):
        if first_frame:
            cv2.resize(np.zeros((1, 1), np.uint8), (2**24, 2**24))
        raise MemoryError("Unable to allocate 9 GiB")

    protector = object.__new__(Protector)
    monkeypatch.setattr(Protector, "find", finding)
    assert protector.find_or_fault("a.png").fault == "Unable to allocate 9 GiB"
    fault = protector.find_or_fault("a.png", first_frame=True).fault
    assert fault == f"Failed to allocate {2**48} bytes"


def test_a_folder_that_goes_meanwhile_is_made_again(album, tmp_path):
    class Masks(_Masks):
        def find_or_fault(self, source, *, first_frame):
            if source == album[0].source:  # before anything is written
                shutil.rmtree(tmp_path / "out")
            return super().find_or_fault(source, first_frame=first_frame)

    (tmp_path / "out").mkdir()
    found = _protected(album, tmp_path / "out", Masks())
    assert len(found.photos) == 3
    assert (tmp_path / "out" / "c.png").exists()


def test_the_photos_of_a_run_are_not_held_when_they_are_measured(album, tmp_path, monkeypatch):
    """Of thirty photos no more than one is in memory, before and after."""
    counts = []
    read, detector = [], SimpleNamespace(find=lambda pixels: ([FACE], []))
    monkeypatch.setattr(saved, "read_photo", lambda path, **how: _noted(path, read))
    photos = [ProtectedPhoto(album[0], album[0].source, (FACE,), (None,))] * 30
    bars = SimpleNamespace(add=lambda *_: lambda _: None)
    faces = _Album(photos, detector, bars).faces()
    for face in faces:
        assert face.crop.shape == (112, 112, 3)
        del face
        counts.append(sum(one() is not None for one in read))
    assert len(read) == 60 and max(counts) <= 4


def _noted(path, read):
    photo = read_photo(path)
    read.append(weakref.ref(photo.pixels))
    return photo


def _states(side):
    image = np.random.default_rng(0).normal(size=(1, side, side, 3)).astype(np.float32)
    return [State(image, (image,), np.zeros(1, int), np.full(1, done)) for done in (0, 5, 9)]


@pytest.mark.parametrize("fault", ["full", "fails"])
def test_a_batch_whose_state_cannot_be_kept_goes_on_and_has_the_one_before(
    fault, tmp_path, monkeypatch, capfd
):
    def failing(*_):
        raise OSError(28, "No space left on device")

    started, earlier, later = _states(8)
    unfinished = Unfinished(tmp_path / "unfinished")
    unfinished.save(earlier)
    if fault == "full":
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    else:
        monkeypatch.setattr(ocp, "save", failing)
    unfinished.save(later)
    assert unfinished.restore(started)[1] == 5
    assert "Traceback" not in capfd.readouterr().err


def test_a_state_that_was_damaged_is_passed_over(tmp_path):
    started, earlier, _ = _states(8)
    unfinished = Unfinished(tmp_path / "unfinished")
    unfinished.save(earlier)
    assert unfinished.restore(started)[1] == 5
    for file in (tmp_path / "unfinished").rglob("_*"):
        whole = file.read_bytes()
        for damaged in (b"", b"{}", whole[: len(whole) // 2]):
            file.write_bytes(damaged)
            assert unfinished.restore(started)[1] in (0, 5)
        file.write_bytes(whole)


def test_a_cache_without_room_is_named_with_the_way_out(tmp_path, cache, full_disk):
    with pytest.raises(ConversionError, match=r"cannot write to the cache .*set TIPIM_JAX_HOME"):
        checkpoint.save(get("mobileface"), "0" * 64, {"params": np.zeros(ROOM)})
    assert cache() == []


def test_what_cannot_be_written_is_named_with_its_place(tmp_path, full_disk, capsys):
    place = tmp_path / "results.json"
    with pytest.raises(OSError) as raised, write_whole(place) as stream:
        stream.write(bytes(2 * ROOM))
    Console(stderr=True).error(raised.value)
    assert capsys.readouterr().err == f"error: {place}: File too large\n"
    assert list(tmp_path.iterdir()) == []


def test_a_photo_that_changed_after_it_was_protected_is_named(tmp_path):
    sizes = {"me.png": 50, "protected.png": 40}
    for name, side in sizes.items():
        Image.new("RGB", (side, side)).save(tmp_path / name)
    photo = ProtectedPhoto(PhotoFile(tmp_path / "me.png", None), tmp_path / "protected.png", (), ())
    with pytest.raises(PhotoError, match=r"me\.png was changed since it was protected"):
        read_back(photo, None, with_pictures=False)
