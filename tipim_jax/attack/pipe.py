"""One photo from standard input to standard output."""

import contextlib
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tipim_jax.configuration import SettingsError

_NAME = "standard input"


def piped(protect: Callable[[Path, Path], int]) -> int:
    """Protects the photo on standard input.

    Nothing is written to standard output where nothing is protected. On its way the photo lies in a
    folder that only this user can read, and that is gone afterwards.

    Args:
      protect: called with the path of a photo and a folder for its protected copy; gives the exit
        status.

    Returns:
      the exit status; 3 in place of 0 where nothing was written.

    Raises:
      SettingsError: standard input or output is a terminal, or nothing comes.
    """
    if sys.stdin.isatty() or sys.stdout.isatty():
        raise SettingsError(
            "- is for pipes: `tipim protect - < photo.jpg > protected.jpg`; found a terminal"
        )
    content = sys.stdin.buffer.read()
    if not content:
        raise SettingsError("standard input is empty; expected a photo")
    with tempfile.TemporaryDirectory(prefix="tipim-", ignore_cleanup_errors=True) as folder:
        photo, output = Path(folder) / _NAME, Path(folder) / "protected"
        photo.write_bytes(content)
        # Whatever else is printed to standard output would be within the picture.
        with contextlib.redirect_stdout(sys.stderr):
            status = protect(photo, output)
        written = [path for path in output.glob(f"{_NAME}*") if path.is_file()]
        if not written:
            return status or 3
        sys.stdout.buffer.write(written[0].read_bytes())
        sys.stdout.buffer.flush()
    return status
