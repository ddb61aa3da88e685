"""Runs the method over any number of faces in batches of one size."""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator

import jax
import numpy as np
from jaxtyping import Float

from tipim_jax.method import ITERATIONS_A_CALL, Layout, Surrogate, TipIm, advance, image_keys, start
from tipim_jax.photos import Region


def masks(
    surrogates: tuple[Surrogate, ...],
    regions: Iterable[Region],
    targets: Float[np.ndarray, "targets 112 112 3"],
    settings: TipIm,
    *,
    size: int,
    layout: Layout,
    seed: int,
    progress: Callable[[float], None],
) -> Iterator[Float[np.ndarray, "224 224 3"]]:
    """Yields the mask x^p - x^r of every region, in order, each batch when it is done.

    Args:
      surrogates, targets, settings, layout: see `tipim_jax.method.protect`.
      regions: around the faces, taken a batch at a time.
      size: of a batch: how many faces are protected together; the last one is padded to it.
      seed: with the region itself it decides the random views, so that neither the order of the
        photos nor the batch changes a mask.
      progress: called with the share of the batch's work just done.
    """
    regions = iter(regions)
    surrogates, targets = layout.replicate((surrogates, targets))
    while faces := list(itertools.islice(regions, size)):
        real = len(faces)
        faces += faces[-1:] * (size - real)
        batch = np.stack([face.pixels for face in faces]).astype(np.float32)
        alignments = np.stack([face.matrix for face in faces]).astype(np.float32)
        keys = image_keys(seed, batch)
        valid = np.arange(size) < real
        problem, state = start(
            surrogates,
            batch,
            targets,
            keys,
            settings,
            alignments=alignments,
            valid=valid,
            layout=layout,
        )
        for done in range(0, settings.iterations, ITERATIONS_A_CALL):
            count = min(ITERATIONS_A_CALL, settings.iterations - done)
            state, _ = advance(surrogates, problem, state, settings, count, layout=layout)
            jax.block_until_ready(state)
            progress(count / settings.iterations)
        yield from (np.asarray(state.protected) - batch)[:real]


def even_batch(faces: int, batch_size: int, settings: TipIm, devices: int) -> int:
    """The size that needs the fewest batches and then the least padding.

    At most `batch_size`, but that every device has as many faces, and MMD groups are whole.
    """
    batches = math.ceil(faces / batch_size)
    size = math.ceil(faces / batches) if batches else 1
    group = settings.mmd_group_size
    of = math.lcm(devices, group) if size > group else devices
    return math.ceil(size / of) * of if size >= devices else size
