"""What a run measured, as a data structure, as JSON and as one self-contained HTML page."""

from tipim_jax.report.document import document
from tipim_jax.report.html import report
from tipim_jax.report.markup import element
from tipim_jax.report.pictures import FacePictures, Picture, face_pictures, picture
from tipim_jax.report.results import (
    Face,
    Gallery,
    NotProtected,
    Photo,
    Quality,
    Rates,
    Recogniser,
    Results,
    Scores,
    Standing,
    Targets,
    finite_or_none,
    rates,
)

__all__ = [
    "Face",
    "FacePictures",
    "Gallery",
    "NotProtected",
    "Photo",
    "Picture",
    "Quality",
    "Rates",
    "Recogniser",
    "Results",
    "Scores",
    "Standing",
    "Targets",
    "document",
    "element",
    "face_pictures",
    "finite_or_none",
    "picture",
    "rates",
    "report",
]
