"""The folder in which downloaded files and converted weights are kept."""

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import platformdirs

from weights_convert.errors import ConversionError

_PREFIX = "partial-"
_DAY = 24 * 3600  # seconds; no conversion takes that long
_OTHER_FOLDER = "set TIPIM_JAX_HOME to a folder that you can write"


def home() -> Path:
    """The cache: `TIPIM_JAX_HOME`, or the user's cache folder of this system.

    Raises:
      ConversionError: it does not exist and cannot be made.
    """
    override = os.environ.get("TIPIM_JAX_HOME")
    folder = Path(override).expanduser() if override else platformdirs.user_cache_path("tipim_jax")
    folder = folder.absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConversionError(
            f"cannot make the cache {folder} ({error}); {_OTHER_FOLDER}"
        ) from None
    return folder


@contextmanager
def workshop() -> Iterator[Path]:
    """A new empty folder in the cache's file system, removed at the end.

    What is made there is moved to its place by a rename when it is whole, so nobody ever meets a
    part of it.
    """
    folder = home()
    for abandoned in folder.glob(f"{_PREFIX}*"):  # by processes that were killed
        with suppress(OSError):
            if abandoned.stat().st_mtime < time.time() - _DAY:
                shutil.rmtree(abandoned, ignore_errors=True)
    try:
        temporary = tempfile.TemporaryDirectory(prefix=_PREFIX, dir=folder)
    except OSError as error:
        raise ConversionError(
            f"cannot write to the cache {folder} ({error}); {_OTHER_FOLDER}"
        ) from None
    with temporary as name:
        yield Path(name)


def sha256(path: Path) -> str:
    """Hash of a file, hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
