"""What several test files share, and what all of them run under."""

import gc

import pytest
import xdist

from tipim_jax import runtime

# Beyond these, workers want more memory than they are worth.
_MOST_WORKERS = 4


@pytest.fixture(scope="session")
def detector():
    """The face detector with its real weights."""
    from tipim_jax.photos import YUNET, FaceDetector
    from weights_convert import obtain

    return FaceDetector(obtain(YUNET))


@pytest.fixture(scope="module", autouse=True)
def _programs_of_one_file():
    """Frees what a file's tests compiled; the cache on disk has it for the next one."""
    import jax

    yield
    jax.clear_caches()
    gc.collect()


def pytest_sessionstart(session):
    """Every process computes as a command does: a device a core, and compiled programs kept."""
    if not xdist.is_xdist_controller(session):
        runtime.configure()


def pytest_xdist_auto_num_workers():
    return min(runtime.cores(), _MOST_WORKERS)
