"""Where a batch is worked on, and in what pieces: it decides speed and memory, not what comes out.

The one place where the method meets `jax.pmap`.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Bool, Int

from tipim_jax.method.memory import fitting, pieces
from tipim_jax.method.settings import TipIm
from tipim_jax.method.surrogate import Images, Surrogate
from tipim_jax.pieces import filled, in_pieces, joined, piece

AXIS = "devices"
# Maps that a CPU takes through a network together: XLA finishes a layer for all of them before it
# starts the next, and what belongs to more falls out of the cache. Ten gradients of mobileface at
# once take 1.9 times as long as two by two.
_IN_CACHE = 4
# Of what an accelerator has free.
_SHARE_OF_MEMORY = 0.85
# Images for each accelerator: more were not tried.
_ENOUGH = 256


@dataclasses.dataclass(frozen=True)
class Layout:
    """Devices and pieces.

    Attributes:
      devices: the batch is dealt out to these.
      images: number of images of a device's share that go through the networks together.
      targets: number of targets of an image whose gradients go through the networks together.
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
          crops: what the first window shows of the batch; only its shape counts.
          targets: number of targets towards each of which an iteration takes a gradient, see
            `TipIm.gradients`.
          devices: None takes the fewest local ones that are as fast as all together.
        """
        batch, *crop = crops.shape
        if devices is None:
            local = jax.local_devices()
            share = math.ceil(batch / len(local))
            devices = local[: math.ceil(batch / share)]
        share = math.ceil(batch / len(devices))
        if devices[0].platform == "cpu":
            return cls(tuple(devices), 1, piece(targets, _IN_CACHE))
        room = _room(devices[0])
        return cls(tuple(devices), *pieces(surrogates, crop, share, targets, room))

    @classmethod
    def most_images(
        cls,
        surrogates: Sequence[Surrogate],
        crop: Sequence[int],
        settings: TipIm,
        targets: int,
        devices: Sequence[jax.Device] | None = None,
    ) -> int:
        """How many images make the largest batch that is worth while.

        On a CPU as many as there are devices. On accelerators as many as they have room for, but no
        more than were found to keep one busy.

        Args:
          crop: shape of what the first window shows, (height, width, 3).
          targets: number of targets that an image may take.
          devices: None: all local ones.
        """
        devices = jax.local_devices() if devices is None else devices
        if devices[0].platform == "cpu":
            return len(devices)
        fits = fitting(surrogates, crop, settings.gradients(targets), _room(devices[0]))
        return len(devices) * min(max(fits, 1), _ENOUGH)

    def with_room_for(self, needed: int) -> "Layout":
        """Itself, or one with fewer images at once, where a program asks for more than is free.

        What it asks for grows with their number; at one image it is what it is.

        Args:
          needed: bytes that the program of this layout asks for beside its arguments.
        """
        room = _room(self.devices[0])
        if needed <= room or self.images == 1:
            return self
        fits = min(max(int(self.images * room / needed), 1), self.images - 1)
        return dataclasses.replace(self, images=piece(self.images, fits))

    @property
    def on_cpu(self) -> bool:
        """Whether the devices are a CPU's."""
        return self.devices[0].platform == "cpu"

    def with_images(self, count: int) -> "Layout":
        """On an accelerator the same with so many images at once."""
        return self if self.on_cpu else dataclasses.replace(self, images=count)

    def replicate(self, tree: Any) -> Any:
        """Puts arrays on every device; what is there already stays."""
        mesh = Mesh(np.array(self.devices), (AXIS,))
        return jax.device_put(tree, NamedSharding(mesh, PartitionSpec()))

    def each_image(self, function: Callable, valid: Bool[Array, " share"], *inputs: Any) -> Any:
        """vmap of a function over the images of a device's share, in pieces.

        On a CPU an image is the same to the last byte whatever the batch and the share are, and
        images that only pad the batch cost nothing: zeros stand for what would come of them.
        """
        if self.on_cpu and self.images == 1:
            return _one_by_one(function, valid, inputs)
        return in_pieces(jax.vmap(function), self.images, *inputs)

    def repeated(self, function: Callable, count: Int[Array, ""], most: int, first: Any) -> Any:
        """What becomes of `first` by `function(number, found)` for each number below a count.

        An accelerator does it for all below `most` and keeps the first ones: of a loop whose end it
        does not know it would ask the host each time. The others are done for nothing, which is
        so in the last call of a run at most.

        Args:
          count: at most `most`.
        """
        if self.on_cpu:
            return jax.lax.fori_loop(0, count, function, first)

        def wanted(number, found):
            each = function(number, found)
            return jax.tree.map(partial(jnp.where, number < count), each, found)

        return jax.lax.fori_loop(0, most, wanted, first)


def _room(device: jax.Device) -> float:
    """Bytes that may be asked for; on a device that does not say what it has, any number."""
    memory = device.memory_stats() or {}
    if "bytes_limit" not in memory:
        return math.inf
    return _SHARE_OF_MEMORY * (memory["bytes_limit"] - memory["bytes_in_use"])


def _one_by_one(function, valid, inputs):
    """In a loop, each in a branch of its own: what is around it changes nothing of how it rounds.

    XLA would fuse it with what is around it; and leave both out, did it know that the loop is over
    after one and that the branch is always taken.
    """
    function = jax.jit(function, inline=True)  # traced once, though it is asked for twice
    count = jax.lax.optimization_barrier(jnp.int32(len(valid)))
    shapes = jax.eval_shape(function, *jax.tree.map(lambda array: array[0], inputs))
    nothing = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)

    def take(number, found):
        row = jax.tree.map(lambda array: array[number], inputs)
        one = jax.lax.cond(valid[number], function, lambda *_: nothing, *row)
        return jax.tree.map(lambda array, value: array.at[number].set(value), found, one)

    rows = len(valid)
    empty = jax.tree.map(lambda array: jnp.zeros((rows, *array.shape), array.dtype), nothing)
    return jax.lax.fori_loop(0, count, take, empty)


def over_devices(
    function: Callable, layout: Layout, same: Any, batches: Any, out_axes: tuple[int, ...]
):
    """`function(same, batches)` on every device with its share of the batch; `same` is everywhere.

    Where devices do not divide the batch, the last image fills up their shares.

    Args:
      function: gives several results, each with the batch along its axis in `out_axes`.
      batches: arrays with the batch in front.
    """
    batch, count = len(jax.tree.leaves(batches)[0]), len(layout.devices)
    shares = partial(filled, count=count, size=math.ceil(batch / count))
    mapped = jax.pmap(function, AXIS, in_axes=(None, 0), out_axes=out_axes, devices=layout.devices)
    found = mapped(same, jax.tree.map(shares, batches))
    return tuple(
        jax.tree.map(lambda array, axis=axis: _rows(joined(array, axis), batch, axis), part)
        for axis, part in zip(out_axes, found, strict=True)
    )


def _rows(array, count, axis):
    return array if array.shape[axis] == count else jax.lax.slice_in_dim(array, 0, count, axis=axis)


def gathered(array: Array, batch: int) -> Array:
    """The whole batch of so many, on every device; within `over_devices`."""
    return jax.lax.all_gather(array, AXIS, tiled=True)[:batch]


def own_share(array: Array, size: int) -> Array:
    """This device's `size` rows of a whole batch; within `over_devices`."""
    first = jax.lax.axis_index(AXIS) * size
    return array[jnp.minimum(first + jnp.arange(size), len(array) - 1)]
