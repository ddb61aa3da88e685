"""Photos in, photos out: files, the faces in them, and the way to the canonical crop and back."""

from tipim_jax.disk import write_whole
from tipim_jax.photos.alignment import SIZE, TEMPLATE, crop, similarity
from tipim_jax.photos.detection import NO_FACE, UNSURE, FaceDetector
from tipim_jax.photos.face import Face, central_face
from tipim_jax.photos.files import (
    RECORD,
    FoundFiles,
    PhotoFile,
    find_files,
    find_photos,
    output_paths,
)
from tipim_jax.photos.formats import SUFFIXES
from tipim_jax.photos.posting import AS_SAVED, POSTINGS, Posting
from tipim_jax.photos.reading import (
    Photo,
    PhotoError,
    decode_photo,
    eight_bit,
    pixel_size,
    read_photo,
)
from tipim_jax.photos.region import REGION, Region, add_masks, region
from tipim_jax.photos.windows import look, window_matrix
from tipim_jax.photos.writing import Metadata, encode_photo, write_photo
from tipim_jax.photos.yunet import YUNET

__all__ = [
    "AS_SAVED",
    "NO_FACE",
    "POSTINGS",
    "RECORD",
    "REGION",
    "SIZE",
    "SUFFIXES",
    "TEMPLATE",
    "UNSURE",
    "YUNET",
    "Face",
    "FaceDetector",
    "FoundFiles",
    "Metadata",
    "Photo",
    "PhotoError",
    "PhotoFile",
    "Posting",
    "Region",
    "add_masks",
    "central_face",
    "crop",
    "decode_photo",
    "eight_bit",
    "encode_photo",
    "find_files",
    "find_photos",
    "look",
    "output_paths",
    "pixel_size",
    "read_photo",
    "region",
    "similarity",
    "window_matrix",
    "write_photo",
    "write_whole",
]
