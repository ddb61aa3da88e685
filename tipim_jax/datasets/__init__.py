"""Sets of face photos, their aligned faces, and who is searched for among whom."""

from tipim_jax.datasets.crops import AlignedFace
from tipim_jax.datasets.face_set import FaceSet, PhotoFolder
from tipim_jax.datasets.protocol import (
    Protocol,
    ProtocolError,
    Roles,
    paper,
    people,
    reproduction,
)
from tipim_jax.datasets.strangers import NewFaces
from tipim_jax.datasets.stream import AlignedFaces, FaceBatch

__all__ = [
    "AlignedFace",
    "AlignedFaces",
    "FaceBatch",
    "FaceSet",
    "NewFaces",
    "PhotoFolder",
    "Protocol",
    "ProtocolError",
    "Roles",
    "paper",
    "people",
    "reproduction",
]
