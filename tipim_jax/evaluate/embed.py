"""`python -m weights_convert embed`: faces in a file, embeddings into another."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from tipim_jax.console import Console
from tipim_jax.identification import normalise
from tipim_jax.identification.recogniser import Recogniser, together
from tipim_jax.networks import Network, get
from tipim_jax.photos import SIZE, write_whole
from tipim_jax.progress import progress
from weights_convert.arguments import (
    InputError,
    add_networks,
    check_licences,
    check_networks,
    variables,
)

_DESCRIPTION = """\
Embed aligned faces: the way to compare a network with your own framework.

The input is a .npy file of uint8 RGB pixels [N, height, width, 3]: canonical crops, 112 x 112,
aligned to ArcFace's five points, which are brought to what the network takes; or faces of the
network's own input size (see `list`), aligned the network's own way, which are not resized. Channel
order, mean and standard deviation are the network's business, not yours.

The output is a .npy file of float32 [N, D], each row of length 1, so that the cosine of two faces
is the product of their rows.
"""
_EXAMPLE = """\
example:
  tipim weights embed sface --inputs crops.npy --output embeddings.npy
"""


def main(arguments: list[str]) -> int:
    """Runs the command.

    Raises:
      InputError, ConversionError, OSError: it cannot be done; there is no output then.
    """
    parser = argparse.ArgumentParser(
        prog="tipim weights embed",
        description=_DESCRIPTION,
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_networks(parser, 1)
    parser.add_argument("--inputs", type=Path, required=True, metavar="CROPS.npy")
    parser.add_argument("--output", type=Path, required=True, metavar="EMBEDDINGS.npy")
    options = parser.parse_args(arguments)
    check_networks(parser, options)
    check_licences(options)
    network = get(options.names[0])
    crops = _open(options.inputs, network)
    _check_output(options)
    embed = embedder(network, variables(network.name, options))
    # Before any is made, so that it needs no memory for all of them.
    header = {"descr": "<f4", "fortran_order": False, "shape": (len(crops), network.embedding_size)}
    doing = f"embedding {len(crops)} faces with {network.name}"
    with write_whole(options.output) as stream, progress(doing, len(crops)) as advance:
        np.lib.format.write_array_header_1_0(stream, header)
        most = together()
        for first in range(0, len(crops), most):
            batch = np.asarray(crops[first : first + most])
            stream.write(embed(batch).astype("<f4").tobytes())
            advance(len(batch))
    Console().print(f"{options.output}: float32 {list(header['shape'])}, {network.name}")
    return 0


def embedder(
    network: Network, variables: dict[str, Any]
) -> Callable[[np.ndarray], Float[np.ndarray, "batch dim"]]:
    """A function that embeds faces, RGB in [0, 255], into vectors of length 1."""
    recogniser = Recogniser(network, variables)
    return lambda crops: np.asarray(normalise(recogniser(crops, many=True)))


def _open(file: Path, network: Network) -> UInt8[np.ndarray, "faces height width 3"]:
    """The crops, of which nothing is read yet."""
    try:
        crops = np.lib.format.open_memmap(file, mode="r")
    except OSError as fault:
        raise InputError(f"cannot read {file}: {fault.strerror or fault}") from None
    except Exception as fault:  # NumPy reads a damaged header with Python's tokenizer and parser
        raise InputError(
            f"{file} is no whole .npy file ({fault}); write it with `numpy.save`"
        ) from None
    sizes = dict.fromkeys([(SIZE, SIZE), network.input_size])
    wanted = " or ".join(f"uint8 [N, {height}, {width}, 3]" for height, width in sizes)
    if crops.dtype == np.uint8 and crops.ndim == 4 and crops.shape[1:] in [(*s, 3) for s in sizes]:
        return crops
    hint = ""
    if crops.dtype != np.uint8:
        hint = "; pixels in [0, 255] become uint8 by `numpy.rint(x).astype(numpy.uint8)`"
    elif crops.ndim == 3:
        hint = "; one face is `x[None]`"
    elif crops.ndim == 4 and crops.shape[1] == 3:
        hint = "; channels come last: `x.transpose(0, 2, 3, 1)`"
    raise InputError(
        f"{file} holds {crops.dtype} {list(crops.shape)}, {network.name} takes {wanted}, RGB{hint}"
    )


def _check_output(options: argparse.Namespace) -> None:
    """Before the work, not after it."""
    output = options.output
    if not output.parent.is_dir():
        raise InputError(f"cannot write {output}: there is no folder {output.parent}; make it")
    if output.is_dir():
        raise InputError(f"cannot write {output}: it is a folder; name a file in it")
    if output.resolve() in [path.resolve() for path in (options.inputs, options.file) if path]:
        raise InputError(f"{output} would be written over what is read; choose another --output")
