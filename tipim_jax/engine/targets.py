"""Whom the masks imitate: one face of each target identity."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float

from tipim_jax.configuration import SettingsError
from tipim_jax.datasets import bundled, find_portraits, stated_person
from tipim_jax.datasets.crops import CropCache
from tipim_jax.identification import PhotoFaces
from tipim_jax.photos import YUNET, PhotoFile, crop, find_photos
from weights_convert import home, obtain


@dataclass(frozen=True, eq=False)
class Targets:
    """Target identities.

    Attributes:
      origin: Where they come from, in words.
      faces: One face of each.
      left_out: Photos without a usable face, by where they lie, and why.
    """

    origin: str
    faces: PhotoFaces
    left_out: dict[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each."""
        return self.faces.people

    @property
    def digest(self) -> str:
        """Stands for the photos, the faces in them and the names."""
        return self.faces.digest

    @cached_property
    def crops(self) -> Float[np.ndarray, "targets 112 112 3"]:
        """The faces, aligned; RGB in [0, 255]."""
        return np.stack([crop(face.pixels, face.face.matrix) for face in self.faces])


def load_targets(folder: Path | None) -> Targets:
    """The largest face of each photo in a folder; None: ten of the bundled people.

    Raises:
      SettingsError: there are no photos, or a face in none of them.
      PhotoError: the folder cannot be read.
      ConversionError: the face detector cannot be obtained.
    """
    if folder is None:
        origin = "bundled people"
        named = {
            name: PhotoFile(path, Path(name, path.name))
            for name, path in bundled.target_photos().items()
        }
    else:
        origin, named = str(folder), {}
        for file in find_photos([folder]):
            named.setdefault(stated_person(file) or file.source.stem, file)
        if not named:
            raise SettingsError(f"--targets {folder} holds no photos; expected one of each person")
    kept = CropCache(home() / "crops", obtain(YUNET))
    faces, left_out = find_portraits([*named.items()], kept, "largest")
    if not len(faces):
        raise SettingsError(f"{origin}: no face was found in any of its {len(named)} photos")
    return Targets(origin, faces, left_out)
