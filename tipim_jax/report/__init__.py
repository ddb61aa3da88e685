"""What a run measured, as a data structure, as JSON and as one self-contained HTML page."""

from tipim_jax.report.measurement import Measurement
from tipim_jax.report.page import MOST_PHOTOS, render, report
from tipim_jax.report.pictures import FacePictures, Picture, face_pictures, picture, png_picture
from tipim_jax.report.results import (
    Face,
    GalleryResult,
    LeftAlone,
    NotProtected,
    Photo,
    Quality,
    Rates,
    RecogniserResult,
    Results,
    Scores,
    Standing,
    TargetResult,
    finite_or_none,
)

__all__ = [
    "MOST_PHOTOS",
    "Face",
    "FacePictures",
    "GalleryResult",
    "LeftAlone",
    "Measurement",
    "NotProtected",
    "Photo",
    "Picture",
    "Quality",
    "Rates",
    "RecogniserResult",
    "Results",
    "Scores",
    "Standing",
    "TargetResult",
    "face_pictures",
    "finite_or_none",
    "picture",
    "png_picture",
    "render",
    "report",
]
