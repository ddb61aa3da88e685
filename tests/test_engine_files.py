"""Photos on disk become protected photos on disk: names, types, times, and what is said of them.

The masks are made up: what they do is not asked here.
"""

import dataclasses
import os
import time
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import ExifTags, Image

from tipim_jax.attack import run
from tipim_jax.attack.settings import Attack
from tipim_jax.console import Console
from tipim_jax.engine import files
from tipim_jax.engine.found import FaceOutcome, FoundPhoto, MaskedPhoto
from tipim_jax.engine.pictures import pixels_of
from tipim_jax.engine.processes import join
from tipim_jax.method import TipIm
from tipim_jax.photos import Face, PhotoError, find_photos, region
from tipim_jax.progress import Bars

FACE = Face(
    np.array([30, 30, 70, 80], np.float32),
    np.array([[48, 60], [80, 60], [64, 78], [50, 95], [78, 95]], np.float32),
    0.9,
)
TAKEN = "2019:08:07 06:05:04"


class MadeUp:
    """In place of a `Protector`: every photo has one face, whose mask is 5 everywhere."""

    batch_size, decides, method = 4, "settings", TipIm.fast()

    def find_or_fault(self, picture, *, first_frame=False):
        try:
            pixels, digest = pixels_of(picture, first_frame=first_frame)
        except PhotoError as error:
            return FoundPhoto(picture, None, "", (), (), fault=str(error))
        return FoundPhoto(picture, None, digest, (FACE,), (region(pixels, FACE.matrix),))

    def masked(self, photos, **_):
        for photo in photos:
            mask = np.full((224, 224, 3), 5, np.float32)
            yield MaskedPhoto(photo, (mask,), (FaceOutcome(FACE, None, True),))


@pytest.fixture
def album(tmp_path):
    """One photo in each of several formats, all old, taken even earlier."""
    folder = tmp_path / "album"
    folder.mkdir()
    levels = np.add.outer(np.arange(128), np.arange(128))[..., None] // 3 + [60, 40, 90]
    picture = Image.fromarray(levels.astype(np.uint8))
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Camera"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = TAKEN
    for name in ("a.JPG", "b.HEIC", "c.webp", "d.png", "e.tif"):
        picture.save(folder / name, exif=exif.tobytes(), quality=90)
    picture.convert("L").save(folder / "grey.jpg", quality=90)
    turned = picture.convert("RGB")
    picture.save(folder / "film.gif", save_all=True, append_images=[turned.rotate(90)])
    for path in folder.iterdir():
        os.utime(path, (1e9, 1e9))
    return folder


def opened(path):
    """A picture of a file that is closed again, and its EXIF data."""
    with Image.open(path) as image:
        image.load()
        return image, image.getexif()


def inodes(found):
    """Each write makes a new file."""
    return {name: path.stat().st_ino for name, path in found.written.items()}


def protect(album, process=None, **how):
    settings = Attack(paths=(album,), output=album.parent / "out", **how)
    with Bars(Console(stderr=True)) as bars:
        photos = find_photos([album])
        outcome = run._protect(settings, MadeUp(), photos, process or join(None, None, None), bars)
    written = {path.name: path for path in settings.output.glob("*.*")}
    written.pop(".tipim_jax")
    return SimpleNamespace(written=written, **vars(outcome))


def test_the_first_of_several_processes_counts_its_share_and_what_others_left(album):
    shares = []
    first = SimpleNamespace(
        index=0,
        count=2,
        part_of=lambda groups: [[photo for photo in groups[0] if "a" in photo.source.name]],
        wait=lambda: shares.extend((album.parent / "out").glob("*.*")),
    )
    found = protect(album, first)
    assert len(shares) == 1 + 1 and len(found.written) == found.faces == len(found.photos) == 6
    assert found.seconds > 0


def test_what_is_protected_is_written_whatever_goes_wrong_after_it(album, monkeypatch):
    begun, write = [], files._write

    def slowly(masked, *rest):
        begun.append(masked)
        time.sleep(0.01)
        return write(masked, *rest)

    def breaking(self, photos, **_):
        yield from made_up(self, photos)
        raise RuntimeError("the device is gone")

    made_up = MadeUp.masked
    monkeypatch.setattr(MadeUp, "masked", breaking)
    monkeypatch.setattr(files, "_write", slowly)
    with pytest.raises(RuntimeError, match="the device is gone"):
        protect(album)
    assert len(begun) == len([*(album.parent / "out").glob("*.*")]) - 1 == 6  # the journal is one


def test_protected_photos_keep_name_type_times_and_date(album):
    found = protect(album)
    formats = {name: opened(path)[0].format for name, path in found.written.items()}
    assert formats == {
        "a.JPG": "JPEG",
        "b.jpg": "JPEG",
        "c.png": "PNG",
        "d.png": "PNG",
        "e.png": "PNG",
        "grey.jpg": "JPEG",
    }
    for name, path in found.written.items():
        assert path.stat().st_mtime == 1e9
        exif = opened(path)[1]
        assert ExifTags.Base.Make not in exif
        dated = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.DateTimeOriginal)
        assert dated == (None if name == "grey.jpg" else TAKEN)
    assert opened(found.written["grey.jpg"])[0].mode == "L"
    (why,) = found.missed.values()
    assert "film.gif: an animation of 2 pictures" in why


def test_the_format_and_what_is_said_can_be_chosen(album):
    found = protect(album, format="png", metadata="none", first_frame=True)
    assert set(found.written) == {
        *(f"{name}.png" for name in "abcde"), "film.png", "grey.png"
    }  # fmt: skip
    assert not found.missed
    for path in found.written.values():
        image, exif = opened(path)
        assert image.format == "PNG" and not exif
        assert path.stat().st_mtime > 1e9 + 1
    before = np.asarray(opened(album / "d.png")[0]).astype(int)
    change = np.asarray(opened(found.written["d.png"])[0]) - before
    assert change.min() == change.max() == 5


def test_what_was_written_otherwise_is_written_anew(album):
    first = inodes(protect(album))
    assert inodes(protect(album)) == first
    other = inodes(protect(album, metadata="all"))
    assert other.keys() == first.keys()
    assert all(other[name] != first[name] for name in first)
    png = inodes(protect(album, metadata="all", format="png"))
    assert png["d.png"] != other["d.png"]


def test_a_file_that_was_changed_since_is_its_owners(album):
    written = protect(album).written
    written["a.JPG"].write_bytes(b"edited by its owner")
    missed = {source.name: reason for source, reason in protect(album).missed.items()}
    assert "is there and not from a run of this command" in missed["a.JPG"]


def test_a_run_that_comes_to_its_end_leaves_no_batch_under_way(album):
    kept = album.parent / "out" / ".tipim_jax" / "unfinished"
    (kept / "of other photos").mkdir(parents=True)
    protect(album)
    assert kept.parent.exists() and not kept.exists()


def test_photos_of_nobody_who_was_chosen_are_told_from_those_that_failed(album, monkeypatch):
    all_chosen = MadeUp.find_or_fault

    def find_or_fault(self, picture, *, first_frame=False):
        found = all_chosen(self, picture, first_frame=first_frame)
        if found.fault or picture.name == "d.png":
            return found
        left = FaceOutcome(FACE, None, False, "not the face in me.jpg", True)
        return dataclasses.replace(found, faces=(), regions=(), left_alone=(left,))

    monkeypatch.setattr(MadeUp, "find_or_fault", find_or_fault)
    found = protect(album)
    assert set(found.written) == {"d.png"}
    assert {source.name for source in found.missed} == {"film.gif"}
    assert {source.name: reason for source, reason in found.spared.items()} == dict.fromkeys(
        ("a.JPG", "b.HEIC", "c.webp", "e.tif", "grey.jpg"), "not the face in me.jpg"
    )
