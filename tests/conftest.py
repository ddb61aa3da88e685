"""What several test files share, and what all of them run under."""

import gc
import shutil

import jax
import pi_heif
import pillow_heif
import psutil
import pytest
import xdist
from PIL import Image

from tipim_jax import runtime
from tipim_jax.datasets import bundled as people
from tipim_jax.networks import get
from tipim_jax.photos import YUNET, FaceDetector, read_photo
from weights_convert import obtain
from weights_convert.origins import cached_path

pillow_heif.register_heif_opener()  # writes HEIC, which the product does not
pi_heif.register_heif_opener()  # reads it, as in the product

# Beyond these, workers want more memory than they are worth.
_MOST_WORKERS = 4
_MOST_PROGRAMS = 200e6  # bytes, for what a process compiles, between two tests


def pytest_sessionstart(session):
    """Every process computes as a command does: a device a core, and compiled programs kept."""
    if not xdist.is_xdist_controller(session):
        runtime.configure()


def pytest_xdist_auto_num_workers():
    return min(runtime.cores(), _MOST_WORKERS)


@pytest.fixture
def folder(tmp_path):
    """One that is there, with nothing in it."""
    made = tmp_path / "photos"
    made.mkdir()
    return made


@pytest.fixture(scope="session")
def _memory():
    """What this process held when its compiled programs were last freed, bytes."""
    return [psutil.Process().memory_info().rss]


@pytest.fixture(autouse=True)
def _bounded_memory(_memory):
    """Frees compiled programs, which JAX keeps for ever; the cache on disk has them still."""
    yield
    process = psutil.Process()
    if process.memory_info().rss > _memory[0] + _MOST_PROGRAMS:
        jax.clear_caches()
        gc.collect()
        runtime.trim()
        _memory[0] = process.memory_info().rss


@pytest.fixture(scope="session")
def detector() -> FaceDetector:
    """The face detector with its real weights."""
    return FaceDetector(obtain(YUNET))


@pytest.fixture
def searches(monkeypatch):
    """How many photos were searched for faces, as a list that grows."""
    done, detect = [], FaceDetector.detect
    monkeypatch.setattr(
        FaceDetector, "detect", lambda self, pixels: done.append(1) or detect(self, pixels)
    )
    return done


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
    return {name: obtain(get(name).weights) for name in ("mobileface", "sface", "dlib")}


@pytest.fixture
def mobileface(originals, cache):
    """Puts mobileface's original file into the empty cache, so that nothing is downloaded."""
    place = cached_path(get("mobileface").weights)
    place.parent.mkdir(parents=True)
    place.write_bytes(originals["mobileface"].read_bytes())
    return get("mobileface")


@pytest.fixture(scope="session")
def album(tmp_path_factory):
    """Two single portraits of different people, two of them in one picture, and three bad files."""
    folder = tmp_path_factory.mktemp("album")
    first, second = (
        Image.fromarray(read_photo(people.photos(name)[0]).pixels)
        for name in ("Person_002", "Person_005")
    )
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    exif.get_ifd(0x8825)[1] = "N"  # GPS
    (folder / "holiday").mkdir()
    first.save(folder / "holiday" / "beach.jpg", exif=exif, quality=95)
    second.save(folder / "portrait.png")
    both = Image.new("RGB", (500, 250))
    both.paste(first, (0, 0))
    both.paste(second, (250, 0))
    both.save(folder / "both.png")
    Image.new("RGB", (200, 200), "green").save(folder / "meadow.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 not a photo")
    (folder / "notes.txt").write_text("not a photo either")
    return folder


@pytest.fixture(scope="session")
def small_gallery(tmp_path_factory):
    """Four people: one of the album's, three others."""
    folder = tmp_path_factory.mktemp("gallery")
    for name in ("Person_005", "Person_010", "Person_020", "Person_063"):
        shutil.copytree(people.FOLDER / name, folder / name)
    return folder
