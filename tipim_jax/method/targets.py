"""Which of the targets an image may take, and which it follows where no step towards each is tried.

Targets are numbered as the caller gave them. Embeddings are a tuple, one array a surrogate.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

Embeddings = tuple[Float[Array, "targets dim"], ...]


def every_target(
    embeddings: Embeddings, key: Key[Array, ""]
) -> tuple[Int[Array, " targets"], Embeddings]:
    """All of them."""
    return jnp.arange(len(embeddings[0])), embeddings


def drawn_target(
    embeddings: Embeddings, key: Key[Array, ""]
) -> tuple[Int[Array, " 1"], Embeddings]:
    """The one that the image's key draws."""
    drawn = jax.random.randint(key, (), 0, len(embeddings[0]))
    return drawn[None], tuple(each[drawn][None] for each in embeddings)


def mean_target(embeddings: Embeddings, key: Key[Array, ""]) -> tuple[Int[Array, " 1"], Embeddings]:
    """All together: the mean of the losses has the gradient of the loss towards the mean."""
    mean = tuple(each.mean(axis=0, keepdims=True) for each in embeddings)
    return jnp.array([-1]), mean


def nearest(to_targets: Float[Array, " targets"], last: Int[Array, ""]) -> Int[Array, ""]:
    """The target that x^p is nearest to."""
    return jnp.argmin(to_targets)


def kept(to_targets: Float[Array, " targets"], last: Int[Array, ""]) -> Int[Array, ""]:
    """The target that was taken last."""
    return last
