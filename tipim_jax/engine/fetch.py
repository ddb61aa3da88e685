"""`tipim weights fetch`: all that protecting and judging take where nobody chooses otherwise."""

import argparse

from tipim_jax.console import Console
from tipim_jax.engine import defaults
from tipim_jax.networks import DEFAULT_RECOGNISERS, get, onet
from tipim_jax.photos import YUNET
from weights_convert import convert, home, is_cached, obtain


def main(arguments: list[str]) -> int:
    """Fetches what is not there yet; returns the exit status, 0.

    Raises:
      ConversionError: something cannot be fetched; what was stays.
    """
    argparse.ArgumentParser(
        prog="tipim weights fetch",
        description="Fetches everything that protecting and judging take with the settings that "
        "nobody needs to choose, and keeps it: afterwards no network connection is needed.",
    ).parse_args(arguments)
    for model in (YUNET, onet.WEIGHTS):
        obtain(model)
    networks = dict.fromkeys((*defaults.SURROGATES, *DEFAULT_RECOGNISERS, defaults.HELD_OUT))
    missing = [name for name in networks if not is_cached(get(name))]
    for number, name in enumerate(missing, start=1):
        convert(name, step=f"{number}/{len(missing)}")
    Console(stderr=True).print(f"all is there: the face detector and {', '.join(networks)}")
    Console().print(str(home()))
    return 0
