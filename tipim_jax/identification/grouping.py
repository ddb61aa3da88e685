"""Which faces show the same person, where nobody has said so."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int


def agreement(
    cosines: Sequence[Float[np.ndarray, "faces others"]], thresholds: Sequence[float]
) -> Float[np.ndarray, "faces others"]:
    """How surely several recognisers together take pairs of faces for one person: above 0.

    One recogniser's say is how far the cosine lies beyond its threshold, as a share of the way from
    there to 1; together they say the mean.

    Args:
      cosines: from each recogniser.
      thresholds: of the recognisers, below 1.
    """
    says = [
        (cosine - threshold) / (1 - threshold)
        for cosine, threshold in zip(cosines, thresholds, strict=True)
    ]
    return np.mean(says, axis=0)


def group_people(
    says: Float[np.ndarray, "faces faces"], different: Bool[np.ndarray, "faces faces"]
) -> Int[np.ndarray, " faces"]:
    """Numbers the people among some faces; faces linked by other faces are one person too.

    Args:
      says: the `agreement` about each pair.
      different: pairs that cannot be one person, such as two faces in one photo.

    Returns:
      For each face the number of its person, from 0 on.
    """
    # Imported now, as it takes a quarter of a second and is needed at a run's end alone.
    from scipy.sparse.csgraph import connected_components

    return connected_components((says > 0) & ~different, directed=False)[1]
