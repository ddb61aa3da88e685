"""`tipim`: one word for every command; see `tipim --help`."""

import difflib
import importlib.metadata
import pkgutil
import sys
from pathlib import Path

from tipim_jax import source
from tipim_jax.console import Console

# By name: each is imported when it is asked for. What is said of it stands in --help.
_COMMANDS = {
    "protect": ("tipim_jax.attack.__main__:main", "put masks over the faces in photos"),
    "app": ("tipim_jax.app.__main__:main", "the same on a page in the browser, on this machine"),
    "weights": ("weights_convert.__main__:main", "fetch what it takes, to be offline afterwards"),
    "evaluate": ("tipim_jax.evaluate.__main__:main", "ask recognisers what they make of photos"),
    "sweep": ("tipim_jax.sweep.__main__:main", "protect with many settings, for researchers"),
}
_HELP = f"""\
usage: tipim [COMMAND] ...

Changes the faces in your photos a little, so that face recognition takes them
for somebody else. Photos never leave this machine.

  tipim holiday/ me.jpg        protects a folder and a photo, into protected/
  tipim app                    opens a page to drop photos on
  tipim weights fetch          fetches all that it takes, before a journey

commands:
{chr(10).join(f"  {name:<10}{what}" for name, (_, what) in _COMMANDS.items())}

What does not begin with a command goes to protect.
`tipim COMMAND --help` explains each one; `tipim --version` says its version."""


def main(arguments: list[str] | None = None) -> int:
    """Runs a command; returns its exit status, 2 where nothing was asked for."""
    if arguments is None:
        source.begin()
        arguments = sys.argv[1:]
    first = arguments[0] if arguments else ""
    if not arguments or first in ("-h", "--help", "help"):
        Console().print(_HELP)
        return 0 if arguments else 2
    if first == "--version":
        Console().print(f"tipim-jax {importlib.metadata.version('tipim-jax')}")
        return 0
    if first in _COMMANDS:
        return _run(first, arguments[1:])
    meant = difflib.get_close_matches(first, _COMMANDS, n=1)
    if meant and not Path(first).exists():
        Console(stderr=True).one_line(
            f"error: {first} is neither a command nor a photo or folder; did you mean "
            f"`tipim {meant[0]}`?"
        )
        return 2
    return _run("protect", arguments)


def _run(command: str, arguments: list[str]) -> int:
    try:
        return pkgutil.resolve_name(_COMMANDS[command][0])(arguments)
    except KeyboardInterrupt:  # while it is imported, which takes a moment
        return 130


if __name__ == "__main__":
    sys.exit(main())
