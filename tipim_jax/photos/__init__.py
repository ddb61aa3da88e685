"""Photos in, photos out: files, the faces in them, and the way to the canonical crop and back."""

from tipim_jax.photos.alignment import SIZE, TEMPLATE, crop, similarity
from tipim_jax.photos.detection import NO_FACE, YUNET, Face, FaceDetector
from tipim_jax.photos.files import (
    SUFFIXES,
    Photo,
    PhotoError,
    PhotoFile,
    decode_photo,
    find_photos,
    output_paths,
    read_photo,
    write_photo,
    write_whole,
)
from tipim_jax.photos.lfw import Lfw, LfwError, LfwPhoto, Pairs, central_face, open_lfw, read_pairs
from tipim_jax.photos.region import REGION, Region, add_masks, region

__all__ = [
    "NO_FACE",
    "REGION",
    "SIZE",
    "SUFFIXES",
    "TEMPLATE",
    "YUNET",
    "Face",
    "FaceDetector",
    "Lfw",
    "LfwError",
    "LfwPhoto",
    "Pairs",
    "Photo",
    "PhotoError",
    "PhotoFile",
    "Region",
    "add_masks",
    "central_face",
    "crop",
    "decode_photo",
    "find_photos",
    "open_lfw",
    "output_paths",
    "read_pairs",
    "read_photo",
    "region",
    "similarity",
    "write_photo",
    "write_whole",
]
