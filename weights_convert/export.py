"""`python -m weights_convert export`: converted weights as a file for other programs."""

import argparse
from pathlib import Path

from safetensors.numpy import save as serialise

from tipim_jax.console import Console
from tipim_jax.disk import replace
from tipim_jax.networks import Network, get
from weights_convert.arguments import (
    InputError,
    add_networks,
    check_licences,
    check_networks,
    variables,
)
from weights_convert.cache import sha256
from weights_convert.checkpoint import flatten
from weights_convert.conversion import source_sha256
from weights_convert.origins import known_sha256

_DESCRIPTION = """\
Write a network's converted weights as a safetensors file, for whatever reads that format.

The arrays are float32 and have flat names, such as params/stem/conv/kernel: the paths of the
network's variables in Flax. Kernels are (rows, columns, in, out), those of linear layers (in, out).
The metadata names the network, the sha256 of the file that the weights were converted from, and
their licence, which goes with them wherever they go.
"""
_EXAMPLE = """\
example:
  tipim weights export sface --output sface.safetensors
"""


def main(arguments: list[str]) -> int:
    """Runs the command.

    Raises:
      InputError, ConversionError, OSError: it cannot be done; there is no output then.
    """
    parser = argparse.ArgumentParser(
        prog="tipim weights export",
        description=_DESCRIPTION,
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_networks(parser, 1)
    parser.add_argument("--output", type=Path, required=True, metavar="WEIGHTS.safetensors")
    options = parser.parse_args(arguments)
    check_networks(parser, options)
    check_licences(options)
    output = options.output
    if not output.parent.is_dir():
        raise InputError(f"cannot write {output}: there is no folder {output.parent}; make it")
    if output.is_dir():
        raise InputError(f"cannot write {output}: it is a folder; name a file in it")
    if options.file and output.resolve() == options.file.resolve():
        raise InputError(f"{output} would be written over what is read; choose another --output")
    network = get(options.names[0])
    arrays = flatten(variables(network.name, options))
    source = sha256(options.file) if options.file else source_sha256(network)
    about = {"network": network.name, "source_sha256": source, "licence": _licence(network, source)}
    _write(output, serialise(arrays, about))
    Console().print(f"{output}: {len(arrays)} arrays, {network.name}, licence: {about['licence']}")
    return 0


def _licence(network: Network, source: str) -> str:
    """The published weights' licence; what users bring in their place may have any."""
    own = network.weights is not None and source != known_sha256(network.weights)
    return "not stated" if own else network.licence


def _write(output: Path, content: bytes) -> None:
    """Whole or not at all."""
    part = output.with_name(f"{output.name}.part")
    try:
        part.write_bytes(content)
        replace(part, output)
    finally:
        part.unlink(missing_ok=True)
