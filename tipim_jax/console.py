"""What commands print: text as it is, whatever it holds, on a console of any encoding."""

import codecs
import sys
from unicodedata import category

import rich.console  # noqa: TID251
from rich.status import Status
from rich.text import Text

_ERRORS = "tipim_jax.stand_ins"
# What stands for our own signs where the console's encoding has none of them.
_STAND_INS = str.maketrans(
    {"→": "->", "–": "-", "−": "-", "─": "-", "…": "...", "×": "x", "γ": "gamma", "ε": "epsilon"}
)


class Console(rich.console.Console):  # noqa: TID251
    """A console for paths, values and reasons that somebody else wrote.

    Brackets are not read as markup and `:name:` is not read as an emoji; what a terminal would
    obey is shown as an escape; lines are not broken, so that a path can be copied, but where
    `print` is told `soft_wrap=False`. To make one lets
    stdout and stderr print signs that their encoding lacks, which otherwise raise.
    """

    def __init__(self, **how):
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):  # what replaces them in a notebook has none
                stream.reconfigure(errors=_ERRORS)
        super().__init__(markup=False, emoji=False, highlight=False, soft_wrap=True, **how)

    def render_str(self, text: str, **how) -> Text:
        return super().render_str(printable(text), **how)

    def status(self, status: str, **how) -> Status:
        return super().status(self.render_str(status), **how)

    def one_line(self, text: str) -> None:
        """Prints one line, with line breaks as escapes: a name may hold some, and what comes after
        them could pass for a line of ours."""
        self.print(text.replace("\n", "\\n"))

    def error(self, error: Exception) -> None:
        """Prints what went wrong; further lines of it are indented."""
        text = str(error)
        if isinstance(error, OSError) and error.strerror:
            text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
        self.print(Text.assemble(("error:", "red"), " ", printable(text).replace("\n", "\n  ")))


def printable(text: str) -> str:
    """Control characters, direction overrides and undecodable bytes, which file names may hold,
    as visible escapes: they could falsify what is shown or make it unwritable as UTF-8."""
    if text.isprintable():
        return text
    return "".join(
        c
        if c.isprintable() or c == "\n" or category(c) == "Zs"  # Zs: spaces of all widths
        else c.encode("unicode_escape").decode("ascii")
        for c in text
    )


def _stand_in(error: UnicodeError) -> tuple[str, int]:
    """Encodes what an encoding lacks, as `codecs.register_error` asks for it."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end].translate(_STAND_INS)
    return signs.encode("ascii", "backslashreplace").decode("ascii"), error.end


codecs.register_error(_ERRORS, _stand_in)
