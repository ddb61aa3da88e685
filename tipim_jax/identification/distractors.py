"""Distractors: strangers who make a gallery as large as a search engine's."""

import math
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

_BLOCK = 2**14  # embeddings in memory at a time


def drawn_distractors(
    embeddings: Float[np.ndarray, "photos dim"], count: int, seed: int
) -> Iterator[Float[np.ndarray, "some dim"]]:
    """Unit embeddings of nobody: drawn, not of real faces, and figures with them must say so.

    They are draws from the normal distribution that has the mean and the covariance of the given
    embeddings, divided by their length. Of the real distribution they have the direction and the
    spread, but not the clusters: no two of them are of one person.

    Args:
      embeddings: of real faces, of any scale; they are normalised first. With fewer of them than
        `dim` the distractors lie in the subspace that these span.
      count: how many distractors are wanted.
      seed: the same one gives the same distractors.

    Yields:
      Float32 blocks, `count` rows in all.

    Raises:
      ValueError: there are fewer than two embeddings, one is not finite, or `count` is below 0.
    """
    embeddings = np.asarray(embeddings, np.float64)
    if embeddings.ndim != 2 or len(embeddings) < 2:
        raise ValueError(
            f"found embeddings {list(embeddings.shape)}, expected two or more, [photos, dim]: "
            "they give the mean and the covariance"
        )
    if not np.isfinite(embeddings).all():
        raise ValueError("an embedding holds NaN or infinity")
    if count < 0:
        raise ValueError(f"count is {count}, expected 0 or more distractors")
    unit = _unit(embeddings)
    variances, axes = np.linalg.eigh(np.cov(unit, rowvar=False))
    # Not Cholesky's factor: the covariance of few embeddings has no full rank.
    spread = axes * np.sqrt(np.maximum(variances, 0))
    return _blocks(unit.mean(axis=0).astype(np.float32), spread.astype(np.float32), count, seed)


def _blocks(mean, spread, count, seed):
    random = np.random.default_rng(seed)
    for number in range(math.ceil(count / _BLOCK)):
        rows = min(_BLOCK, count - number * _BLOCK)
        normal = random.standard_normal((rows, len(mean)), dtype=np.float32)
        yield _unit(mean + normal @ spread.T)


def _unit(embeddings):
    length = np.linalg.norm(embeddings, axis=1, keepdims=True)
    return embeddings / np.where(length > 0, length, 1)
