"""Search at scale: the nearest images of a gallery of any size, exactly.

Conventions that hold for every function here:
  - Embeddings are of any scale; similarity is their cosine, in [-1, 1]. They are normalised once,
    in float32, the gallery's as its blocks go by.
  - Ties are ordered by index in the gallery: of two equally near images the first one is nearer.
  - The gallery is taken in blocks, each compared with all the probes, a block at a time; of the
    cosines only the greatest are kept. Memory is that of the probes, of what is kept and of a few
    blocks, whatever the size of the gallery.
  - A gallery that is a JAX array lies on its devices and stays there. A NumPy array (a memory-map,
    too, of any floating type) is sent to them a block at a time: it may be larger than they are.
"""

import functools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Float, Int

from tipim_jax.identification.cosine import cosines, normalise

_GALLERY_BLOCK = 8192  # at most; larger ones leave a processor's cache and gain nothing
_SENT_BLOCK = 4096  # at most; glibc hands memory for larger ones back, only to ask for it anew
_PROBE_BLOCK = 512
# Blocks are padded to whole groups, and to whole vectors: in the rows left over after the last one
# XLA sums in another order, and equal images would not be equally near.
_ALIGNMENT = 128
_NONE = jnp.iinfo(jnp.int32).max
_AXIS = "gallery"
_SPLIT, _SAME = PartitionSpec(_AXIS), PartitionSpec()


class Nearest(NamedTuple):
    """The gallery images nearest to each probe, nearest first.

    cosine: -inf where the gallery has fewer images.
    index: in the gallery; -1 where it has fewer images.
    """

    cosine: Float[np.ndarray, "probes count"]
    index: Int[np.ndarray, "probes count"]


def nearest(
    gallery: Float[Array, "images dim"] | Float[np.ndarray, "images dim"],
    probes: Float[Array, "probes dim"],
    count: int,
    *,
    approximate: bool = False,
    devices: Sequence[jax.Device] | None = None,
) -> Nearest:
    """The `count` nearest gallery images of every probe.

    Args:
      gallery: see the head of this module for what its type decides.
      probes: all of them lie on every device.
      count: how many are kept for each probe, 1 or more.
      approximate: leave each block's choice to `jax.lax.approx_max_k`, whose recall is 95 % or
        more and whose ties have no order. It is made for TPUs; elsewhere it gains nothing.
      devices: the gallery is split among them, and what each has found is merged. None takes those
        on which the gallery lies, or the first one for a NumPy array.

    Raises:
      ValueError: the gallery is empty, `count` is below 1, the embeddings differ in size, or one of
        them is not finite.
    """
    _check(gallery, probes, count)
    mesh = Mesh(np.array(_devices(gallery) if devices is None else devices), (_AXIS,))
    blocks = jax.device_put(_in_blocks(probes), NamedSharding(mesh, _SAME))
    best = jax.device_put(
        _nothing(mesh.size, *blocks.shape[:2], count), NamedSharding(mesh, _SPLIT)
    )
    for first, part in _parts(gallery, mesh):
        previous = best
        best = _search(part, first, len(gallery), blocks, best, mesh, approximate)
        jax.block_until_ready(previous)  # or parts would pile up before a slow device
    return _merged(jax.device_get(best), len(probes))


class _Best(NamedTuple):
    """What each device has found so far, by block of probes and probe; `broken` see `_search`."""

    cosine: Float[Array, "devices blocks probes count"]
    index: Int[Array, "devices blocks probes count"]
    broken: Int[Array, " devices"]


def _nothing(devices: int, blocks: int, probes: int, count: int) -> _Best:
    shape = (devices, blocks, probes, count)
    return _Best(
        np.full(shape, -np.inf, np.float32),
        np.full(shape, -1, np.int32),
        np.full(devices, _NONE, np.int32),
    )


@functools.partial(jax.jit, static_argnames=("mesh", "approximate"))
def _search(part, first, stop, probes, best, mesh, approximate):
    """Adds what is found in a part of the gallery.

    Args:
      part: embeddings of any scale, split among the devices.
      first: the index in the gallery of the part's first image.
      stop: the number of images in the gallery; what the part has beyond it is padding.
      probes: unit ones, [blocks, probes, dim].

    Returns:
      The greatest so far, and in `broken` the index of the first image that is not finite.
    """

    def on_one_device(part, probes, best):
        begin = first + jax.lax.axis_index(_AXIS) * len(part)
        found = _search_blocks(part, begin, stop, probes, _Best(*(x[0] for x in best)), approximate)
        return _Best(*(x[None] for x in found))

    return jax.shard_map(
        on_one_device, mesh=mesh, in_specs=(_SPLIT, _SAME, _SPLIT), out_specs=_SPLIT
    )(part, probes, best)


def _search_blocks(part, first, stop, probes, best, approximate):
    size = min(len(part), _block_size(len(part), _GALLERY_BLOCK))
    padding = -size % _ALIGNMENT
    count = best.cosine.shape[-1]
    choose = _roughly_greatest if approximate else _greatest

    def take(block, best):
        # The last block begins earlier than it should: all have one size, and nothing is copied.
        begin = jnp.minimum(block * size, len(part) - size)
        rows = jax.lax.dynamic_slice_in_dim(part, begin, size).astype(jnp.float32)
        rows = jnp.pad(rows, ((0, padding), (0, 0)))
        place = jnp.arange(size + padding)
        index = first + begin + place
        counts = (place < size) & (begin + place >= block * size) & (index < stop)
        finite = jnp.isfinite(jnp.linalg.norm(rows, axis=1)) | ~counts
        unit = normalise(rows)

        def merge(probes_and_best):
            unit_probes, cosine, found = probes_and_best
            new_cosine, column = choose(cosines(unit_probes, unit), counts, count)
            # What was found before comes first: of equals `top_k` takes the first ones.
            cosine = jnp.concatenate([cosine, new_cosine], axis=1)
            found = jnp.concatenate([found, index[column]], axis=1)
            cosine, kept = jax.lax.top_k(cosine, count)
            found = jnp.take_along_axis(found, kept, axis=1)
            return cosine, jnp.where(cosine == -jnp.inf, -1, found)

        cosine, found = jax.lax.map(merge, (probes, best.cosine, best.index))
        broken = jnp.where(finite, _NONE, index).min()
        return _Best(cosine, found, jnp.minimum(best.broken, broken))

    return jax.lax.fori_loop(0, math.ceil(len(part) / size), take, best)


def _greatest(cosine, counts, count):
    """A block's `count` greatest, with others; their columns are in ascending order.

    `top_k` is slow on long rows. Of every group of neighbouring columns the maximum is taken, and
    of the groups the `count` with the greatest maxima. A column of any other group has `count`
    columns before it: each of those groups has one that is greater, or as great and further left.
    """
    probes, columns = cosine.shape
    # The power of two that makes the maxima and the columns of the chosen groups fewest in all.
    group = 2 ** max(0, round(math.log2(columns / count) / 2))
    cosine, counts = cosine.reshape(probes, -1, group), counts.reshape(-1, group)
    maxima = jnp.where(counts, cosine, -jnp.inf).max(axis=2)
    chosen = jnp.sort(jax.lax.top_k(maxima, min(count, columns // group))[1], axis=1)
    candidates = jnp.take_along_axis(cosine, chosen[:, :, None], axis=1)
    candidates = jnp.where(counts[chosen], candidates, -jnp.inf)
    column = chosen[:, :, None] * group + jnp.arange(group)
    return candidates.reshape(probes, -1), column.reshape(probes, -1)


def _roughly_greatest(cosine, counts, count):
    masked = jnp.where(counts, cosine, -jnp.inf)
    return jax.lax.approx_max_k(masked, min(count, cosine.shape[1]))


def _block_size(images: int, greatest: int) -> int:
    """Of blocks that take so many images evenly."""
    blocks = math.ceil(images / greatest)
    return _ALIGNMENT * math.ceil(images / blocks / _ALIGNMENT)


def _parts(gallery, mesh: Mesh) -> Iterator[tuple[int, Array]]:
    """The index of each part's first image, and the part, padded to be split evenly."""
    split = NamedSharding(mesh, _SPLIT)
    each = math.ceil(len(gallery) / mesh.size)
    if isinstance(gallery, jax.Array):
        missing = mesh.size * each - len(gallery)
        whole = jnp.pad(gallery, ((0, missing), (0, 0))) if missing else gallery
        yield 0, jax.device_put(whole, split)
        return
    size = mesh.size * _block_size(each, _SENT_BLOCK)
    for first in range(0, len(gallery), size):
        rows = np.asarray(gallery[first : first + size], np.float32)
        if len(rows) < size:
            rows = np.pad(rows, ((0, size - len(rows)), (0, 0)))
        yield first, jax.device_put(rows, split)


def _devices(gallery) -> list[jax.Device]:
    if isinstance(gallery, jax.Array):
        return sorted(gallery.devices(), key=lambda device: device.id)
    return jax.local_devices()[:1]


def _in_blocks(probes) -> Float[np.ndarray, "blocks probes dim"]:
    """Normalised, and padded to blocks of one size."""
    unit = np.asarray(normalise(jnp.asarray(probes, jnp.float32)))
    blocks = max(1, math.ceil(len(unit) / _PROBE_BLOCK))
    size = max(1, math.ceil(len(unit) / blocks))
    padding = ((0, blocks * size - len(unit)), (0, 0))
    return np.pad(unit, padding).reshape(blocks, size, -1)


def _merged(best: _Best, probes: int) -> Nearest:
    """Joins what the devices have found."""
    broken = best.broken.min()
    if broken != _NONE:
        raise ValueError(
            f"the embedding of gallery image {broken} holds NaN or infinity, or is too long for "
            "its square to be a float32; expected finite numbers"
        )
    count = best.cosine.shape[-1]
    cosine, index = (
        np.moveaxis(found, 0, 2).reshape(-1, len(found) * count)[:probes]
        for found in (best.cosine, best.index)
    )
    return _nearest_first(cosine, index, count)


def _nearest_first(cosine, index, count) -> Nearest:
    order = np.lexsort((index, -cosine), axis=1)[:, :count]
    return Nearest(*(np.take_along_axis(found, order, axis=1) for found in (cosine, index)))


def _check(gallery, probes, count) -> None:
    if gallery.ndim != 2 or probes.ndim != 2 or gallery.shape[1] != probes.shape[1]:
        raise ValueError(
            f"the gallery is {list(gallery.shape)} and the probes are {list(probes.shape)}: "
            "expected embeddings of one size, [images, dim] and [probes, dim]"
        )
    if len(gallery) == 0:
        raise ValueError(
            "the gallery holds no image: a probe needs at least one to be compared with"
        )
    if count < 1:
        raise ValueError(f"count is {count}, expected 1 or more nearest images")
    if not np.isfinite(np.linalg.norm(np.asarray(probes, np.float32), axis=1)).all():
        raise ValueError("the embedding of a probe holds NaN or infinity, expected finite numbers")
