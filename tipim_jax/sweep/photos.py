"""A sweep in photos: masks are made in whole photos, as people get them, and judged on the files.

A photo is done when its protected copy is written: `NAME.png` in the folder of its cell. All faces
in it are protected; the one nearest its centre is judged, found anew in the file.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from tipim_jax.datasets.crops import CropCache
from tipim_jax.engine.protector import Protector
from tipim_jax.engine.targets import Targets
from tipim_jax.identification import Experiment, PhotoFace, PhotoFaces, Recogniser, face_changes
from tipim_jax.photos import read_photo, write_whole
from tipim_jax.sweep.saved import SavedProbes
from tipim_jax.sweep.settings import Cell


class InPhotos:
    """Protects and reads back whole photos."""

    def __init__(
        self,
        experiment: Experiment,
        recognisers: Mapping[str, Recogniser],
        *,
        batch_size: int,
        dtype: str,
        kept: CropCache,
    ):
        """Takes the faces, the networks with their weights, and what finds faces and keeps them.

        Args:
          batch_size: Number of faces that are protected together.
          dtype: What the surrogates compute in.
        """
        self._probes: PhotoFaces = experiment.probes
        self._targets = Targets("the protocol", experiment.targets, {})
        self._recognisers, self._batch_size, self._kept = recognisers, batch_size, kept
        self._dtype = dtype
        self._protectors: dict[tuple[str, ...], Protector] = {}

    def protect(
        self, cells: Sequence[Cell], folders: Sequence[Path], progress: Callable[[float], None]
    ) -> None:
        """Writes the protected photos of all probes, as far as they are not there.

        Args:
          cells: of the same surrogates.
          folders: one for each cell.
          progress: called with the number of photos just done.
        """
        for cell, folder in zip(cells, folders, strict=True):
            protector = self._protector(cell.surrogates).with_settings(
                cell.settings, seed=cell.seed
            )
            missing = [
                number
                for number, name in enumerate(self._probes.names)
                if not photo_path(folder, name).is_file()
            ]
            progress(len(self._probes) - len(missing))
            photos = (face.pixels for face in self._probes.some(missing))
            for number, found in zip(missing, protector.protect_many(photos), strict=True):
                with write_whole(photo_path(folder, self._probes.names[number])) as stream:
                    Image.fromarray(found.pixels).save(stream, "PNG")
                progress(1)

    def saved(self, folder: Path) -> SavedProbes:
        """The probes as they are in a cell's folder."""
        places, contents, lost = [], [], []
        for name, clean in zip(self._probes.names, self._probes.faces, strict=True):
            content = photo_path(folder, name).read_bytes()
            contents.append(hashlib.sha256(content).hexdigest())
            found = self._kept.align(content, name)
            if isinstance(found, str):  # there is none any more: it is looked at where it was
                lost.append(name)
                places.append(clean)
            else:
                places.append(found.face)
        probes = self._probes
        faces = PhotoFaces(
            probes.names,
            probes.people,
            tuple(places),
            tuple(contents),
            read=lambda number: photo_path(folder, probes.names[number]).read_bytes(),
        )
        changed = [
            face_changes(clean, PhotoFace(protected.pixels, clean.face))
            for clean, protected in zip(probes, faces, strict=True)
        ]
        return SavedProbes(
            faces,
            {name: np.concatenate([one[name] for one in changed]) for name in changed[0]},
            tuple(lost),
        )

    def crops(self, folder: Path, count: int) -> Sequence[UInt8[np.ndarray, "112 112 3"]]:
        """The first probes in a cell's folder, aligned as they were before."""
        first = zip(self._probes.names[:count], self._probes.faces, strict=False)
        return [
            PhotoFace(read_photo(photo_path(folder, name)).pixels, face).crop
            for name, face in first
        ]

    def _protector(self, surrogates: tuple[str, ...]) -> Protector:
        if surrogates not in self._protectors:
            self._protectors[surrogates] = Protector(
                surrogates=[self._recognisers[name] for name in surrogates],
                targets=self._targets,
                batch_size=self._batch_size,
                dtype=self._dtype,
            )
        return self._protectors[surrogates]


def photo_path(folder: Path, name: str) -> Path:
    """Where the protected photo of a probe is kept."""
    return folder / f"{name}.png"
