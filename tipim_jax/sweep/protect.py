"""Protects the cells of a sweep, batch by batch; what is done is on disk, and stays there.

A face is done when its protected crop is written: `NAME.png` in the folder of its cell. Of a batch
that is under way the iterate and the momentum are kept from time to time, so that a process that is
killed loses no more than a minute.
"""

import dataclasses
import hashlib
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np
from PIL import Image

from tipim_jax.identification import Faces
from tipim_jax.method import ITERATIONS_A_CALL, Layout, Surrogate, TipIm, advance, image_keys, start
from tipim_jax.photos import write_whole
from tipim_jax.sweep.settings import Cell
from tipim_jax.sweep.unfinished import Unfinished

_SECONDS_BETWEEN_SAVES = 30


@dataclass(frozen=True)
class _Set:
    """Faces of one cell that stand or fall together: one, or those of an MMD group.

    Attributes:
      cell: index of the cell.
      faces: indices of the probes.
      folder: of the cell.
    """

    cell: int
    faces: tuple[int, ...]
    folder: Path

    def paths(self, probes: Faces) -> list[Path]:
        return [crop_path(self.folder, probes.names[face]) for face in self.faces]

    def is_done(self, probes: Faces) -> bool:
        return all(path.is_file() for path in self.paths(probes))


def crop_path(folder: Path, name: str) -> Path:
    """Where the protected crop of a probe is kept."""
    return folder / f"{name}.png"


def protect_cells(
    cells: Sequence[Cell],
    folders: Sequence[Path],
    surrogates: Sequence[Surrogate],
    probes: Faces,
    targets: Faces,
    unfinished: Path,
    *,
    batch_size: int,
    progress: Callable[[float], None],
) -> None:
    """Writes the protected crops of all probes for cells of one `shape`.

    Args:
      cells: their settings differ in numbers alone, so that one compiled program serves them.
      folders: one for each cell.
      surrogates: the cells' networks.
      probes, targets: whom to protect, and whom to imitate.
      unfinished: folder for what is under way.
      batch_size: how many faces are protected together; with MMD groups, rounded up to whole ones.
      progress: called with the number of faces' worth of work just done.
    """
    size = cells[0].settings.mmd_group_size if any(c.settings.gamma for c in cells) else 1
    sets = [
        _Set(number, faces, folder)
        for number, folder in enumerate(folders)
        for faces in _sets(len(probes), size)
    ]
    count = min(max(1, batch_size // size), len(sets))
    count -= count % min(count, jax.local_device_count())  # every device has as many
    batch_of = jax.ShapeDtypeStruct((count * size, *probes.crops.shape[1:]), np.float32)
    layout = Layout.choose(surrogates, batch_of, len(targets))
    surrogates = layout.replicate(tuple(surrogates))
    # Whatever is done already, the batches are the same ones: others would round differently.
    for first in range(0, len(sets), count):
        batch = sets[first : first + count]
        if all(one.is_done(probes) for one in batch):
            progress(sum(len(one.faces) for one in batch))
            continue
        padding = [batch[-1]] * (count - len(batch))
        _protect(
            batch, padding, size, cells, surrogates, layout, probes, targets, unfinished, progress
        )


def _sets(count: int, size: int) -> Iterator[tuple[int, ...]]:
    for first in range(0, count, size):
        yield tuple(range(first, min(first + size, count)))


def _protect(
    batch, padding, size, cells, surrogates, layout, probes, targets, unfinished, progress
):
    members, valid = [], []
    for one in (*batch, *padding):
        filled = itertools.islice(itertools.cycle(one.faces), size)
        members += [(one.cell, face) for face in filled]
        real = len(one.faces) if len(valid) < size * len(batch) else 0
        valid += [True] * real + [False] * (size - real)
    crops = probes.crops[[face for _, face in members]].astype(np.float32)
    keys = jax.numpy.concatenate(
        [
            image_keys(cells[cell].seed, crop[None])
            for (cell, _), crop in zip(members, crops, strict=True)
        ]
    )
    settings = _of_each([cells[cell].settings for cell, _ in members], size)
    problem, state = start(
        surrogates,
        crops,
        targets.crops.astype(np.float32),
        keys,
        settings,
        valid=np.array(valid),
        layout=layout,
    )
    iterations = settings.iterations
    kept = Unfinished(unfinished / _digest(batch, probes))
    state, done = kept.restore(state)
    faces = sum(valid)
    progress(faces * done / iterations)
    saved = time.monotonic()
    while done < iterations:
        count = min(ITERATIONS_A_CALL, iterations - done)
        state, _ = advance(surrogates, problem, state, settings, count, layout=layout)
        jax.block_until_ready(state)
        done += count
        progress(faces * count / iterations)
        if done < iterations and time.monotonic() > saved + _SECONDS_BETWEEN_SAVES:
            kept.save(state)
            saved = time.monotonic()
    protected = np.rint(np.asarray(state.protected)).astype(np.uint8)
    place = 0
    for one in batch:
        for path, crop in zip(one.paths(probes), protected[place:], strict=False):
            with write_whole(path) as stream:
                Image.fromarray(crop).save(stream, "PNG")
        place += size
    kept.remove()


def _of_each(settings: Sequence[TipIm], mmd_group_size: int) -> TipIm:
    """One value of every traced number for each image."""
    return TipIm.of_each([dataclasses.replace(s, mmd_group_size=mmd_group_size) for s in settings])


def _digest(batch: Sequence[_Set], probes: Faces) -> str:
    names = [str(path) for one in batch for path in one.paths(probes)]
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]
