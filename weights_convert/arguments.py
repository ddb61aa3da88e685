"""What the commands share: naming networks, and their weights for one run."""

import argparse
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from tipim_jax.backend import backend
from tipim_jax.networks import get, names
from weights_convert import licences
from weights_convert.conversion import load, read_variables


class InputError(Exception):
    """What a command was given cannot be used; the message says what would do."""


def add_networks(parser: argparse.ArgumentParser, count: str | int) -> None:
    """Adds the names, how many there may be, and where their weights come from."""
    parser.add_argument("names", nargs=count, metavar="NAME", help="see `list`")
    parser.add_argument(
        "--from", dest="file", type=Path, metavar="FILE", help="the file that holds its weights"
    )
    parser.add_argument(
        "--accept-licence",
        action="store_true",
        help="where the weights are for non-commercial research alone: you keep to that",
    )


def check_networks(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Ends the program with usage and exit status 2 where the names or `--from` make no sense."""
    for name in options.names:
        if name not in names():
            parser.error(f"no network is called {name!r}; known are {', '.join(names())}")
    if options.file is not None and len(options.names) != 1:
        parser.error("--from FILE goes with the name of one network")


def check_licences(options: argparse.Namespace) -> None:
    """Lets nobody obtain weights of limited use unawares; `--accept-licence` is remembered.

    Raises:
      ConversionError: a licence is to be accepted; the message states it.
    """
    for network in map(get, options.names):
        if options.accept_licence and network.non_commercial:
            licences.accept(network)
        licences.require(network)


def variables(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """A network's variables: of the user's file, which leaves the cache as it is, or `load`'s.

    Raises:
      ConversionError: they cannot be had.
      SettingsError: JAX finds no device.
    """
    backend()
    if options.file is None:
        return load(name)
    found = read_variables(get(name), options.file)
    return jax.tree.map(jnp.asarray, found)
