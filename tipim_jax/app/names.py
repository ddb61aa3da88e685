"""Names that a browser says its files have: for people to read, and in archives, never on disk."""

import re
from pathlib import PurePosixPath

from tipim_jax.console import printable

_LONGEST = 120  # characters of a part: 255 bytes, as file systems have it, in most alphabets
_DEEPEST = 8
# What Windows has in no name, and what it keeps for itself.
_FORBIDDEN = re.compile(r'[<>:"|?*\\/\x00-\x1f\x7f]')
_RESERVED = re.compile(
    r"(con|conin\$|conout\$|prn|aux|nul|(com|lpt)[0-9¹²³]) *(\..*)?", re.IGNORECASE
)


def safe_name(said: str) -> PurePosixPath:
    """A relative path without anything that leads elsewhere, or that some system cannot hold.

    Args:
      said: the file's name, or where it lies below the folder that was dropped.
    """
    parts = [_part(part) for part in re.split(r"[\\/]", said)]
    parts = [part for part in parts if part][-_DEEPEST:]
    return PurePosixPath(*parts) if parts else PurePosixPath("photo")


def _part(said: str) -> str:
    text = _FORBIDDEN.sub("_", printable(said.replace("\n", " "))).strip(" .")
    if len(text) > _LONGEST:
        stem, dot, suffix = text.rpartition(".")
        suffix = dot + suffix if dot and len(suffix) < 8 else ""
        text = (stem if suffix else text)[: _LONGEST - len(suffix)].rstrip(" .") + suffix
    return f"_{text}" if _RESERVED.fullmatch(text) else text
