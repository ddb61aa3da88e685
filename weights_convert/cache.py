"""The folder in which downloaded files and converted weights are kept."""

import errno
import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import platformdirs
from filelock import FileLock

from tipim_jax.console import Console
from tipim_jax.disk import replace
from weights_convert.errors import ConversionError

_PREFIX = "partial-"
_DAY = 24 * 3600  # seconds; no conversion takes that long
_OTHER_FOLDER = "set TIPIM_JAX_HOME to a folder that you can write"
_NO_ROOM = (errno.ENOSPC, getattr(errno, "EDQUOT", None), errno.EFBIG)  # Windows has no quota's


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

    Raises:
      ConversionError: it cannot be made, or there is no room for what is made in it.
    """
    folder = home()
    for abandoned in folder.glob(f"{_PREFIX}*"):  # by processes that were killed
        with suppress(OSError):
            if abandoned.stat().st_mtime < time.time() - _DAY:
                shutil.rmtree(abandoned, ignore_errors=True)
    try:
        # What another program holds open on Windows is abandoned, and removed another time.
        temporary = tempfile.TemporaryDirectory(
            prefix=_PREFIX, dir=folder, ignore_cleanup_errors=True
        )
    except OSError as error:
        raise _cannot_write(folder, error) from None
    with temporary as name:
        try:
            yield Path(name)
        except OSError as error:
            if error.errno in _NO_ROOM:
                raise _cannot_write(folder, error) from None
            raise


def _cannot_write(folder: Path, error: OSError) -> ConversionError:
    return ConversionError(
        f"cannot write to the cache {folder} ({error.strerror or error}); {_OTHER_FOLDER}"
    )


def sha256(path: Path) -> str:
    """Hash of a file, hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def kept(key: str, name: str) -> Path:
    """Where a source file is kept, whether or not it is there; `key` is a hash."""
    return home() / "sources" / key[:16] / name


def put(file: Path, place: Path) -> None:
    """Moves a file that is whole, out of a workshop, to its place, over what is there."""
    place.parent.mkdir(parents=True, exist_ok=True)
    replace(file, place)


def copy(file: Path, place: Path, digest: str) -> None:
    """Puts a copy of a file that stays where it is into the cache.

    Raises:
      ConversionError: `digest` is not its sha256 (any more).
    """
    with workshop() as folder:
        shutil.copyfile(file, folder / "copy")
        if sha256(folder / "copy") != digest:
            raise ConversionError(f"{file} changed while it was read; run this again")
        put(folder / "copy", place)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Makes a folder of the cache; waits until nobody else is in this context for it.

    Raises:
      ConversionError: the folder or its lock cannot be made.
    """
    locks = home() / "locks"  # these stay, as whoever waits for one has it open
    try:
        folder.mkdir(parents=True, exist_ok=True)
        locks.mkdir(exist_ok=True)
        with Console(stderr=True).status(f"waiting for {folder} …"):
            taken = FileLock(locks / "-".join(folder.relative_to(home()).parts)).acquire()
    except OSError as error:
        raise _cannot_write(home(), error) from None
    with taken:
        yield


def record(place: Path, digest: str, about: str) -> None:
    """Writes down a file's hash and what the file is, in the form that `sha256sum` has."""
    with workshop() as folder:
        text = f"{digest}  {about}\n".encode(errors="backslashreplace")
        (folder / "record").write_bytes(text)
        put(folder / "record", place)


def recorded(place: Path) -> str | None:
    """The hash that `record` wrote, None if it wrote none.

    Raises:
      ConversionError: the record is damaged.
    """
    try:
        text = place.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    if not re.match("[0-9a-f]{64} ", text):
        raise ConversionError(f"{place}: expected a hash, found {text[:80]!r}; delete this file")
    return text[:64]
