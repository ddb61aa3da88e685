"""Photos that arrive in a folder, when they are whole."""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tipim_jax.photos import FoundFiles, PhotoFile, find_files

# Looks after which a file that is empty or cannot be opened is passed on, to be named. On Windows
# nobody can open one that is being copied, and its size is the whole file's from the beginning.
_PATIENCE = 30


def arrivals(
    folder: Path, output: Path, *, wait: Callable[[], None] = lambda: time.sleep(1)
) -> Iterator[tuple[FoundFiles, list[PhotoFile]]]:
    """What is there, then what has arrived, each time that something has.

    A file counts once its size and time are what they were a look before; one that is changed
    afterwards has arrived again. Ctrl-C between two looks ends it.

    Args:
      folder: to look into, with the folders below it.
      output: what is below it is passed over.
      wait: until the next look.

    Yields:
      what has arrived, and all photos that are there, which decides how copies are called.

    Raises:
      PhotoError: the folder is not there, or is gone.
    """
    before: dict[Path, tuple[int, int]] = {}
    passed_on: dict[Path, tuple[int, int]] = {}
    looks: dict[Path, int] = {}  # at what is not whole
    while True:
        files = find_files([folder], skip=output)
        sources = [file.source for file in files.photos]
        sources += [file.source for file, _ in files.others]
        now = {source: state for source in sources if (state := _state(source)) is not None}
        new = set()
        for source, state in now.items():
            if before.get(source) != state or passed_on.get(source) == state:
                continue
            looks[source] = looks.get(source, 0) + 1
            if looks[source] > _PATIENCE or _is_whole(source):
                new.add(source)
                del looks[source]
        passed_on |= {source: now[source] for source in new}
        before = now
        if new:
            arrived = FoundFiles(
                [file for file in files.photos if file.source in new],
                [(file, kind) for file, kind in files.others if file.source in new],
            )
            yield arrived, files.photos
        try:
            wait()
        except KeyboardInterrupt:
            return


def _state(path: Path) -> tuple[int, int] | None:
    """Size and time of change; the same always for what is no file; None for what has gone."""
    with contextlib.suppress(OSError):
        if not path.is_file():
            return 0, 0
        status = path.stat()
        return status.st_size, status.st_mtime_ns
    return None


def _is_whole(path: Path) -> bool:
    """Whether a file holds something and nobody keeps others from it; what is no file is."""
    with contextlib.suppress(OSError):
        if not path.is_file():
            return True
        with path.open("rb") as stream:
            return bool(stream.read(1))
    return False
