"""The code that this process runs, as one hash: what is kept between processes may depend on it."""

import hashlib
import math
import time
from pathlib import Path

_PACKAGE = Path(__file__).parent
_JUST_NOW = 2  # seconds; a command imports its first modules in a tenth of that

_begun: tuple[str, list] | None = None


def begin() -> None:
    """To be called by what is started as a command, before anything else is.

    Scripts and tests, where something may stand in a function's place, do not call it.
    """
    global _begun
    _begun = _hashed()


def begun() -> bool:
    """Whether this process is a command."""
    return _begun is not None


def unchanged() -> str | None:
    """Hash of the package's code; None where what lies there may not be what is in memory.

    That is so in what did not `begin`, and once a file has been touched since.
    """
    if _begun is None:
        return None
    code, files = _begun
    return code if _files() == files else None


def _hashed():
    """The hash, and the files; None where one may have changed while it was imported."""
    files, whole = _files(), hashlib.sha256()
    # The last change of a file's status, on Linux and macOS, goes with every change.
    latest = max((max(times) for _, *times in files), default=math.inf)
    if latest > time.time_ns() - _JUST_NOW * 1_000_000_000:
        return None
    try:
        for name, *_ in files:
            content = hashlib.sha256((_PACKAGE / name).read_bytes())
            whole.update(f"{name} {content.hexdigest()}\n".encode())
    except OSError:
        return None
    return whole.hexdigest(), files


def _files():
    """Of each file when it was last changed, in nanoseconds since 1970; none: they are no files."""
    found = []
    try:
        for file in sorted(_PACKAGE.rglob("*.py")):
            status = file.stat()
            found.append((str(file.relative_to(_PACKAGE)), status.st_mtime_ns, status.st_ctime_ns))
    except OSError:
        return []
    return found
