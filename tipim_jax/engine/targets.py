"""Whom the masks imitate: one aligned face of each target identity."""

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float

from tipim_jax.configuration import SettingsError
from tipim_jax.datasets import bundled
from tipim_jax.photos import FaceDetector, PhotoError, crop, find_photos, read_photo


@dataclass(frozen=True, eq=False)
class Targets:
    """Target identities.

    Attributes:
      origin: Where they come from, in words.
      names: Name of each.
      photos: One photo of each.
      crops: Largest face of each photo, aligned; RGB in [0, 255].
      left_out: Photos without a usable face, and why.
    """

    origin: str
    names: tuple[str, ...]
    photos: tuple[Path, ...]
    crops: Float[np.ndarray, "targets 112 112 3"]
    left_out: tuple[tuple[Path, str], ...] = ()

    @cached_property
    def digest(self) -> str:
        """Stands for the names and the crops."""
        digest = hashlib.sha256("\n".join(self.names).encode())
        digest.update(np.ascontiguousarray(self.crops))
        return digest.hexdigest()


def load_targets(folder: Path | None, detector: FaceDetector) -> Targets:
    """The targets in a folder with one photo of each; None: ten of the bundled people.

    Raises:
      SettingsError: there are no photos, or a face in none of them.
      PhotoError: the folder cannot be read.
    """
    if folder is None:
        origin, photos = "bundled people", bundled.target_photos()
    else:
        origin, photos = str(folder), {}
        for file in find_photos([folder]):
            photos.setdefault(_name(file.source), file.source)
        if not photos:
            raise SettingsError(f"--targets {folder} holds no photos; expected one of each person")
    found, left_out = {}, []
    for name, path in photos.items():
        try:
            pixels = read_photo(path).pixels
            faces = detector.detect(pixels)
        except PhotoError as error:
            left_out.append((path, str(error)))
            continue
        if faces:
            found[name] = path, crop(pixels, faces[0].matrix)
        else:
            left_out.append((path, "no face found"))
    if not found:
        raise SettingsError(f"{origin}: no face was found in any of its {len(photos)} photos")
    paths, crops = zip(*found.values(), strict=True)
    return Targets(origin, tuple(found), paths, np.stack(crops), tuple(left_out))


def _name(photo: Path) -> str:
    """The folder where photos are called after it, as in LFW; otherwise the file's own name."""
    folder = photo.parent.name
    return folder if re.fullmatch(rf"{re.escape(folder)}_\d+", photo.stem) else photo.stem
