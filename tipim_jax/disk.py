"""Files and folders that come to their place when they are whole."""

import contextlib
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_WAITS = (0.05, 0.1, 0.2, 0.4, 0.8)  # seconds


def replace(source: Path, place: Path) -> None:
    """Moves a file or folder to its place in the same file system, over a file that is there.

    Windows refuses that while a virus scanner or an indexer has one of the two open, which takes a
    moment: it is tried again for a second and a half.

    Raises:
      OSError: it cannot be moved.
    """
    for seconds in _WAITS:
        try:
            os.replace(source, place)  # noqa: TID251
            return
        except PermissionError:
            time.sleep(seconds)
    os.replace(source, place)  # noqa: TID251


@contextlib.contextmanager
def write_whole(path: Path, *, times: tuple[int, int] | None = None) -> Iterator[BinaryIO]:
    """A stream to write a file with: at the end it is there whole, or, after an error, not at all.

    The folder is made where it is missing; a file that is already there is replaced at the end.

    Args:
      times: of last access and of last change that the file is to have, in nanoseconds since 1970.
    """
    partial = path.with_name(f".{secrets.token_hex(8)}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open(partial, "xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        if times:
            with contextlib.suppress(OSError):  # not every file system can have any time
                os.utime(partial, ns=times)
        replace(partial, path)
    except BaseException as fault:  # KeyboardInterrupt too leaves no partial file
        if isinstance(fault, OSError) and str(fault.filename) in ("None", str(partial)):
            fault.filename, fault.filename2 = str(path), None
        with contextlib.suppress(OSError):
            partial.unlink()
        raise
