"""What several test files share."""

import pytest

from tipim_jax.photos import YUNET, FaceDetector
from weights_convert import obtain


@pytest.fixture(scope="session")
def detector() -> FaceDetector:
    """The face detector with its real weights."""
    return FaceDetector(obtain(YUNET))
