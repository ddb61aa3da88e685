"""Runs the method over any number of faces in batches of one size."""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator

import jax
import numpy as np
from jaxtyping import Float

from tipim_jax.method import Layout, Surrogate, TipIm, advance, image_keys, iterations_a_call, start


def masks(
    surrogates: tuple[Surrogate, ...],
    crops: Iterable[Float[np.ndarray, "112 112 3"]],
    targets: Float[np.ndarray, "targets 112 112 3"],
    settings: TipIm,
    *,
    size: int,
    layout: Layout,
    seed: int,
    progress: Callable[[float], None],
) -> Iterator[Float[np.ndarray, "112 112 3"]]:
    """Yields the mask x^p - x^r of every crop, in order, each batch when it is done.

    Args:
      surrogates, targets, settings, layout: see `tipim_jax.method.protect`.
      crops: RGB in [0, 255], taken a batch at a time.
      size: of a batch: how many faces are protected together; the last one is padded to it.
      seed: with the crop itself it decides the random views, so that neither the order of the
        photos nor the batch changes a mask.
      progress: called with the share of the batch's work just done.
    """
    chunk = iterations_a_call(settings.iterations)
    crops = iter(crops)
    surrogates, targets = layout.replicate((surrogates, targets))
    while faces := list(itertools.islice(crops, size)):
        batch = np.stack(faces)
        count = len(batch)
        padded = np.concatenate([batch, np.repeat(batch[-1:], size - count, axis=0)])
        keys = image_keys(seed, padded)
        valid = np.arange(size) < count
        problem, state = start(
            surrogates, padded, targets, keys, settings, valid=valid, layout=layout
        )
        for _ in range(settings.iterations // chunk):
            state, _ = advance(surrogates, problem, state, settings, chunk, layout=layout)
            jax.block_until_ready(state)
            progress(chunk / settings.iterations)
        yield from np.asarray(state.protected)[:count] - batch


def even_batch(faces: int, batch_size: int, settings: TipIm, devices: int) -> int:
    """The size that needs the fewest batches and then the least padding.

    At most `batch_size`, but that every device has as many faces, and MMD groups are whole.
    """
    batches = math.ceil(faces / batch_size)
    size = math.ceil(faces / batches) if batches else 1
    group = settings.mmd_group_size
    of = math.lcm(devices, group) if size > group else devices
    return math.ceil(size / of) * of if size >= devices else size
