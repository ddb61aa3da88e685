"""Work in pieces: of one size, so that one compiled program serves them all; or computed once."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental.xla_metadata import set_xla_metadata
from jaxtyping import Array


def piece(count: int, most: int) -> int:
    """How many of `count` things to do at once: at most, and hardly fewer than, `most`.

    Of half as many to as many as may be, what leaves the least of the last piece to be filled up.
    """
    most = min(count, most)
    sizes = range(most, (most - 1) // 2, -1)
    return min(sizes, key=lambda size: math.ceil(count / size) * size)


def in_pieces(function: Callable, at_once: int, *inputs: Any) -> Any:
    """`function(*inputs)`, of so many rows of the inputs at once.

    Args:
      function: takes and gives arrays of any number of rows, each of which stands for itself.
      inputs: trees of arrays with as many rows.
    """
    count = len(jax.tree.leaves(inputs)[0])
    if at_once >= count:
        return function(*inputs)
    number = math.ceil(count / at_once)
    pieces = jax.tree.map(lambda array: filled(array, number, at_once), inputs)
    found = jax.lax.map(lambda each: function(*each), pieces)
    return jax.tree.map(lambda array: joined(array)[:count], found)


def filled(array: Array, count: int, size: int) -> Array:
    """Rows in `count` pieces of one size, `count size …`; the last row fills up what is wanting."""
    if count * size != len(array):
        array = array[jnp.minimum(jnp.arange(count * size), len(array) - 1)]
    return array.reshape(count, size, *array.shape[1:])


def joined(array: Array, axis: int = 0) -> Array:
    """Pieces as one: `axis` counts them, and the next one what is in a piece."""
    return array.reshape(*array.shape[:axis], -1, *array.shape[axis + 2 :])


def computed_once(function: Callable, *arguments: Any) -> Any:
    """`function(*arguments)`, whose result XLA for CPU keeps for all that read it.

    It would otherwise fuse what is cheap with each of its readers, and so compute it again for each
    of them, and for each value that they read. Other platforms are left to themselves.
    """
    if jax.default_backend() != "cpu":
        return function(*arguments)

    def inner(*arguments):
        with set_xla_metadata(inlineable="true"):
            return function(*arguments)

    with set_xla_metadata(inlineable="false"):
        return jax.jit(inner)(*arguments)
