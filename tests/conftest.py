"""What several test files share, and what all of them run under."""

import ctypes
import gc
import sys

import jax
import psutil
import pytest
import xdist

from tipim_jax import runtime
from tipim_jax.networks import get
from tipim_jax.photos import YUNET, FaceDetector
from weights_convert import obtain
from weights_convert.origins import cached_path

# Beyond these, workers want more memory than they are worth.
_MOST_WORKERS = 4
_MOST_PROGRAMS = 200e6  # bytes, for what a process compiles, between two tests


def pytest_sessionstart(session):
    """Every process computes as a command does: a device a core, and compiled programs kept."""
    if not xdist.is_xdist_controller(session):
        runtime.configure()


def pytest_xdist_auto_num_workers():
    return min(runtime.cores(), _MOST_WORKERS)


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
        if sys.platform == "linux":  # glibc keeps half a gigabyte of what is freed
            ctypes.CDLL(None).malloc_trim(0)
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
