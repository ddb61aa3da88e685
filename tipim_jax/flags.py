"""Commands' flags: a dataclass, its docstring the help, that tyro fills from the command line."""

import inspect
from collections.abc import Sequence
from typing import Any, TypeVar

import tyro

T = TypeVar("T")


def unset(default: str, metavar: str = "DIR", words: Any = None, name: str | None = None) -> Any:
    """How --help shows a flag that need not be given.

    Args:
      default: what is done without it.
      metavar: what stands for its value.
      words: type of the values, where only some words are allowed: errors offer these alone.
      name: of the flag, where the attribute's cannot be used.
    """
    hint = f"(default: {default})"
    return tyro.conf.arg(name=name, metavar=metavar, help_behavior_hint=hint, constructor=words)


def parse(
    settings: type[T],
    arguments: Sequence[str],
    prog: str,
    *,
    more: str = "",
    default: T = tyro.MISSING_NONPROP,
) -> T:
    """Reads a command line; exits with status 2 and a message where it makes no sense.

    Args:
      settings: whose docstring, before its attributes, --help begins with.
      prog: the command's name.
      more: what --help says next, examples for one.
      default: whose values the flags replace; left out: the dataclass's own.
    """
    said = inspect.getdoc(settings).split("Attributes:")[0].strip()
    return tyro.cli(
        settings,
        args=arguments,
        prog=prog,
        description=f"{said}\n\n{more}".strip(),
        config=(tyro.conf.DisallowNone,),  # None stands for what was not given, and is no value
        default=default,
    )
