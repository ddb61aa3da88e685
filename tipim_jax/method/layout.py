"""Where a batch is worked on, and in what pieces: it decides speed and memory, not what comes out.

The one place where the method meets `jax.pmap`.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import jaxprs_in_params
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array

from tipim_jax.divisors import greatest_divisor
from tipim_jax.method.surrogate import Images, Surrogate

AXIS = "devices"
# Maps that a CPU takes through a network together: XLA finishes a layer for all of them before it
# starts the next, and what belongs to more falls out of the cache. Ten gradients of mobileface at
# once take 1.9 times as long as two by two.
_IN_CACHE = 4
# Of an accelerator's free memory: the estimate below is of arrays, not of the workspace that
# convolutions ask for.
_SHARE_OF_MEMORY = 0.5


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

    def __str__(self) -> str:
        kind = self.devices[0].device_kind
        return f"{kind} ×{len(self.devices)}, {self.images} images × {self.targets} targets at once"

    @classmethod
    def choose(
        cls,
        surrogates: Sequence[Surrogate],
        crops: Images,
        targets: int,
        devices: Sequence[jax.Device] | None = None,
    ) -> "Layout":
        """What is fastest and fits.

        On a CPU one image at a time, so that neither the batch around it nor the number of devices
        changes a byte of it. On an accelerator as many as its memory has room for.

        Args:
          crops: what the networks see of the batch; only its shape counts.
          targets: that each of them may take.
          devices: None takes as many local ones as divide the batch.
        """
        if devices is None:
            local = jax.local_devices()
            devices = local[: greatest_divisor(crops.shape[0], len(local))]
        share = crops.shape[0] // len(devices)
        if devices[0].platform == "cpu":
            return cls(tuple(devices), 1, greatest_divisor(targets, _IN_CACHE))
        memory = devices[0].memory_stats() or {}
        if "bytes_limit" not in memory:
            return cls(tuple(devices), share, targets)
        free = _SHARE_OF_MEMORY * (memory["bytes_limit"] - memory["bytes_in_use"])
        return cls(tuple(devices), *pieces(surrogates, crops.shape[1:], share, targets, free))

    def replicate(self, tree: Any) -> Any:
        """Puts arrays on every device; what is there already stays."""
        mesh = Mesh(np.array(self.devices), (AXIS,))
        return jax.device_put(tree, NamedSharding(mesh, PartitionSpec()))


def pieces(
    surrogates: Sequence[Surrogate], shape: Sequence[int], images: int, targets: int, room: float
) -> tuple[int, int]:
    """How many images, and targets of each, fit into so many bytes; at least one of each.

    Args:
      shape: of an image.
      images, targets: how many there are; what is given divides them.
    """
    kept, passing = _memory(surrogates, shape)
    fitting = int(room // (kept + passing * targets))
    if fitting:
        return greatest_divisor(images, fitting), targets
    return 1, greatest_divisor(targets, max(1, int((room - kept) // passing)))


def _memory(surrogates, shape) -> tuple[int, int]:
    """Bytes that an image keeps for its gradients, and that the gradient of each target passes by.

    A gradient has the greatest array of the network twice: where it comes from and where it goes
    to, and both again, rearranged.
    """

    def kept(surrogate, count):
        images = jax.ShapeDtypeStruct((count, *shape), jnp.float32)
        pull_back = jax.eval_shape(lambda x: jax.vjp(surrogate, x)[1], images)
        return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(pull_back))

    image = jax.ShapeDtypeStruct((1, *shape), jnp.float32)
    greatest = [max(_sizes(jax.make_jaxpr(surrogate)(image).jaxpr)) for surrogate in surrogates]
    # What a second image adds: the weights are kept too, but once.
    return sum(kept(s, 2) - kept(s, 1) for s in surrogates), 4 * max(greatest)


def _sizes(jaxpr):
    """Bytes of every array that is computed."""
    for equation in jaxpr.eqns:
        inner = list(jaxprs_in_params(equation.params))
        for part in inner:
            yield from _sizes(part)
        if not inner:
            for variable in equation.outvars:
                yield variable.aval.size * variable.aval.dtype.itemsize


def in_pieces(function: Callable, inputs: Any, at_once: int) -> Any:
    """vmap of a function over arrays' first axis, of so many at once."""
    count = len(jax.tree.leaves(inputs)[0])
    if at_once == 1:
        return _one_by_one(function, inputs, count)
    if at_once >= count:
        return jax.vmap(function)(inputs)
    return jax.lax.map(function, inputs, batch_size=at_once)


def _one_by_one(function, inputs, count):
    """In a loop of which XLA does not know that it may be over after one: it would round otherwise.

    So an image is the same to the last byte whatever the batch, and the share of a device, are.
    """
    function = jax.jit(function, inline=True)  # traced once, though it is called twice

    def take(number, found):
        one = function(jax.tree.map(lambda array: array[number], inputs))
        return jax.tree.map(lambda array, value: array.at[number].set(value), found, one)

    shapes = jax.eval_shape(function, jax.tree.map(lambda array: array[0], inputs))
    nothing = jax.tree.map(lambda s: jnp.zeros((count, *s.shape), s.dtype), shapes)
    return jax.lax.fori_loop(0, jax.lax.optimization_barrier(jnp.int32(count)), take, nothing)


def over_devices(
    function: Callable, layout: Layout, same: Any, batches: Any, out_axes: tuple[int, ...]
):
    """`function(same, batches)` on every device with its share of the batch; `same` is everywhere.

    Args:
      function: gives several results, each with the batch along its axis in `out_axes`.
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
