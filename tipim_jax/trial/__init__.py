"""Identification trials: protected faces are searched for in a gallery, by one recogniser each.

Faces enter as aligned crops and leave as figures with intervals; where crops come from and where
figures go is the business of the commands.
"""

from tipim_jax.trial.faces import Faces, Strangers
from tipim_jax.trial.judge import FARS, FIGURES, Judge, Trial, quality
from tipim_jax.trial.row import Figure, Row, Seen, figure

__all__ = [
    "FARS",
    "FIGURES",
    "Faces",
    "Figure",
    "Judge",
    "Row",
    "Seen",
    "Strangers",
    "Trial",
    "figure",
    "quality",
]
