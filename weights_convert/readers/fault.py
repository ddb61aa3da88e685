"""What is wrong with a file, and the one error that becomes of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from weights_convert.errors import ConversionError


class Fault(Exception):
    """What was found in a file that does not belong there; the message names it."""


@contextmanager
def reading(path: Path, expected: str) -> Iterator[None]:
    """Turns a `Fault` into a ConversionError that names the file and what was expected of it."""
    try:
        yield
    except Fault as fault:
        raise ConversionError(
            f"{path}: found {fault}. Expected {expected}. The file is damaged, hostile or of "
            "another kind; get it again from its origin."
        ) from None
