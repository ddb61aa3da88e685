"""Where a batch is worked on, and in what pieces: it decides speed and memory, not what comes out.

The one place where the method meets `jax.pmap`.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array

AXIS = "devices"
# Maps that a CPU takes through a network together: XLA finishes a layer for all of them before it
# starts the next, and what belongs to more falls out of the cache. Ten gradients of mobileface at
# once take 1.9 times as long as two by two.
_IN_CACHE = 4


@dataclasses.dataclass(frozen=True)
class Layout:
    """Devices and pieces.

    Attributes:
      devices: a batch is dealt out to; it has to divide into as many.
      images: of a device's share that go through the networks together.
      targets: of an image, whose gradients go through the networks together.
    """

    devices: tuple[jax.Device, ...]
    images: int
    targets: int

    @classmethod
    def choose(
        cls, batch: int, targets: int, devices: Sequence[jax.Device] | None = None
    ) -> "Layout":
        """What is fastest.

        Args:
          batch: images.
          targets: that each of them may take.
          devices: None takes as many local ones as divide the batch.
        """
        if devices is None:
            local = jax.local_devices()
            devices = local[: _greatest_divisor(batch, len(local))]
        if devices[0].platform == "cpu":
            return cls(tuple(devices), 1, _greatest_divisor(targets, _IN_CACHE))
        return cls(tuple(devices), batch // len(devices), targets)


def _greatest_divisor(number: int, limit: int) -> int:
    return max(n for n in range(1, limit + 1) if number % n == 0)


def replicate(tree: Any, layout: Layout) -> Any:
    """Puts arrays on every device, where they have to be for no call to send them again."""
    mesh = Mesh(np.array(layout.devices), (AXIS,))
    return jax.device_put(tree, NamedSharding(mesh, PartitionSpec()))


def in_pieces(function: Callable, inputs: Any, at_once: int) -> Any:
    """vmap of a function over arrays' first axis, of so many at once."""
    if at_once >= len(jax.tree.leaves(inputs)[0]):
        return jax.vmap(function)(inputs)
    return jax.lax.map(function, inputs, batch_size=None if at_once == 1 else at_once)


def over_devices(function: Callable, layout: Layout, same: Any, batches: Any, out_axes: Any = 0):
    """`function(same, batches)` on every device with its share of the batch; `same` is everywhere.

    Args:
      function: gives arrays with the batch along `out_axes`.
      batches: arrays with the batch in front.
    """
    count = len(layout.devices)

    def split(array):
        return array.reshape(count, array.shape[0] // count, *array.shape[1:])

    def join(axis, array):
        merged = array.shape[axis] * array.shape[axis + 1]
        return array.reshape(*array.shape[:axis], merged, *array.shape[axis + 2 :])

    mapped = jax.pmap(function, AXIS, in_axes=(None, 0), out_axes=out_axes, devices=layout.devices)
    found = mapped(same, jax.tree.map(split, batches))
    return tuple(
        jax.tree.map(lambda array, axis=axis: join(axis, array), part)
        for axis, part in zip(out_axes, found, strict=True)
    )


def gathered(array: Array) -> Array:
    """The whole batch, on every device; within `over_devices`."""
    return jax.lax.all_gather(array, AXIS, tiled=True)


def own_share(array: Array, size: int) -> Array:
    """This device's `size` rows of a whole batch, or the batch itself where it is no more."""
    if len(array) == size:
        return array
    return jax.lax.dynamic_slice_in_dim(array, jax.lax.axis_index(AXIS) * size, size)
