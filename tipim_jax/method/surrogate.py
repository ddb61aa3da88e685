"""Networks that masks are made against."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Images = Float[Array, "batch height width 3"]

# Added to Σe² by the official networks (RobFR networks/FaceModel.py), so that zero has a norm.
_NORM_OFFSET = 1e-5


def normalise(embeddings: Float[Array, "*batch dim"]) -> Float[Array, "*batch dim"]:
    """f = e / sqrt(Σe² + 1e-5), as the official code does."""
    squares = jnp.sum(embeddings**2, axis=-1, keepdims=True)
    # No quotient: whether XLA makes this of it depends on the number of devices, and its rounding.
    return embeddings * jax.lax.rsqrt(squares + _NORM_OFFSET)


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["variables"],
    meta_fields=["embed", "size", "window"],
)
@dataclass(frozen=True)
class Surrogate:
    """A network that masks are made against.

    Attributes:
      embed: (variables, images in [0, 255]) -> embeddings of any length, not normalised.
      variables: the network's weights; an argument of the compiled program, never a constant in it.
      size: (height, width) in pixels of the images that it takes.
      window: index of the one of a face's windows that it looks through; see `protect`.
    """

    embed: Callable[[Any, Images], Float[Array, "batch dim"]]
    variables: Any
    size: tuple[int, int] = (112, 112)
    window: int = 0

    def __call__(self, images: Images) -> Float[Array, "batch dim"]:
        return normalise(self.embed(self.variables, images))

    def embed_one(self, image: Float[Array, "height width 3"]) -> Float[Array, " dim"]:
        return self(image[None])[0]
