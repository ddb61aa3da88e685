"""Files and folders that come to their place when they are whole."""

import os
import time
from pathlib import Path

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
