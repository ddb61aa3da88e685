"""The code that this process runs, as one hash: what is kept between processes may depend on it."""

import hashlib
import time
from pathlib import Path

_PACKAGE = Path(__file__).parent
_JUST_NOW = 2  # seconds; a command imports its first modules in a tenth of that

_begun: str | None = None


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

    That is so in what did not `begin`, and once a file has been changed since.
    """
    return _begun if _begun is not None and _hashed() == _begun else None


def _hashed() -> str | None:
    """None where a file is not to be had, or may have changed while it was imported."""
    whole, files = hashlib.sha256(), sorted(_PACKAGE.rglob("*.py"))
    if Path(__file__) not in files:  # they are no files
        return None
    try:
        for file in files:
            status = file.stat()
            # The latter, on Linux and macOS, goes with every change, whatever the former says.
            if max(status.st_mtime, status.st_ctime) > time.time() - _JUST_NOW:
                return None
            content = hashlib.sha256(file.read_bytes())
            whole.update(f"{file.relative_to(_PACKAGE)} {content.hexdigest()}\n".encode())
    except OSError:
        return None
    return whole.hexdigest()
