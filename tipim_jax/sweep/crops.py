"""A sweep of crops, as the published protocols have it: aligned crops are attacked as crops.

What people get are masks in photos (`photos`), which hold less well: a figure of crops says so. A
face is done when its protected crop is written: `NAME.png` in the folder of its cell. Of a batch
that is under way the iterate and the momentum are kept from time to time, so that a process that is
killed loses no more than a minute.
"""

import dataclasses
import hashlib
import itertools
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np
from jaxtyping import UInt8
from PIL import Image

from tipim_jax.engine.loop import Batch, drive
from tipim_jax.engine.protector import as_surrogate
from tipim_jax.identification import CropFaces, Experiment, Recogniser, changes
from tipim_jax.method import Layout, Surrogate, TipIm, image_keys
from tipim_jax.photos import write_whole
from tipim_jax.sweep.saved import SavedProbes
from tipim_jax.sweep.settings import Cell


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

    def paths(self, probes: CropFaces) -> list[Path]:
        return [crop_path(self.folder, probes.names[face]) for face in self.faces]

    def is_done(self, probes: CropFaces) -> bool:
        return all(path.is_file() for path in self.paths(probes))


def crop_path(folder: Path, name: str) -> Path:
    """Where the protected crop of a probe is kept."""
    return folder / f"{name}.png"


class AsCrops:
    """Protects and reads back aligned crops."""

    def __init__(
        self,
        experiment: Experiment,
        recognisers: Mapping[str, Recogniser],
        *,
        batch_size: int,
        dtype: str,
        unfinished: Path,
    ):
        """Takes the faces, the networks with their weights, and a folder for what is under way.

        Args:
          batch_size: Number of faces that are protected together.
          dtype: What the surrogates compute in.
        """
        self._probes: CropFaces = experiment.probes
        self._targets: CropFaces = experiment.targets
        self._recognisers = recognisers
        self._batch_size, self._dtype, self._unfinished = batch_size, dtype, unfinished

    def protect(
        self, cells: Sequence[Cell], folders: Sequence[Path], progress: Callable[[float], None]
    ) -> None:
        """Writes the protected crops of all probes; see `protect_cells`."""
        protect_cells(
            cells,
            folders,
            [as_surrogate(self._recognisers[n], self._dtype) for n in cells[0].surrogates],
            self._probes,
            self._targets,
            self._unfinished,
            batch_size=self._batch_size,
            progress=progress,
        )

    def saved(self, folder: Path) -> SavedProbes:
        """The probes as they are in a cell's folder."""
        crops = np.stack(self.crops(folder, len(self._probes)))
        faces = CropFaces(self._probes.names, self._probes.people, crops)
        return SavedProbes(faces, changes(self._probes.crops, crops), ())

    def crops(self, folder: Path, count: int) -> Sequence[UInt8[np.ndarray, "112 112 3"]]:
        """The first probes in a cell's folder."""
        return [
            np.asarray(Image.open(crop_path(folder, name))) for name in self._probes.names[:count]
        ]


def protect_cells(
    cells: Sequence[Cell],
    folders: Sequence[Path],
    surrogates: Sequence[Surrogate],
    probes: CropFaces,
    targets: CropFaces,
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
    layout = Layout.choose(surrogates, batch_of, cells[0].settings.gradients(len(targets)))
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
    faces = sum(valid)
    kept = unfinished / _digest(batch, probes)  # cells may differ in settings alone
    found = drive(
        surrogates,
        Batch(crops, keys, None, np.array(valid)),
        targets.crops,
        settings,
        layout=layout,
        progress=lambda share: progress(faces * share),
        kept=kept,
    )
    protected = np.rint(found.protected).astype(np.uint8)
    place = 0
    for one in batch:
        for path, crop in zip(one.paths(probes), protected[place:], strict=False):
            with write_whole(path) as stream:
                Image.fromarray(crop).save(stream, "PNG")
        place += size
    shutil.rmtree(kept, ignore_errors=True)


def _of_each(settings: Sequence[TipIm], mmd_group_size: int) -> TipIm:
    """One value of every traced number for each image."""
    return TipIm.of_each([dataclasses.replace(s, mmd_group_size=mmd_group_size) for s in settings])


def _digest(batch: Sequence[_Set], probes: CropFaces) -> str:
    names = [str(path) for one in batch for path in one.paths(probes)]
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]
