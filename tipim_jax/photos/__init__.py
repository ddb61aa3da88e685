"""Photos in, photos out: files, the faces in them, and the way to the canonical crop and back."""

from tipim_jax.photos.alignment import SIZE, TEMPLATE, add_masks, crop, similarity
from tipim_jax.photos.detection import YUNET, Face, FaceDetector
from tipim_jax.photos.files import (
    SUFFIXES,
    Photo,
    PhotoError,
    PhotoFile,
    find_photos,
    output_paths,
    read_photo,
    write_photo,
    write_whole,
)

__all__ = [
    "SIZE",
    "SUFFIXES",
    "TEMPLATE",
    "YUNET",
    "Face",
    "FaceDetector",
    "Photo",
    "PhotoError",
    "PhotoFile",
    "add_masks",
    "crop",
    "find_photos",
    "output_paths",
    "read_photo",
    "similarity",
    "write_photo",
    "write_whole",
]
