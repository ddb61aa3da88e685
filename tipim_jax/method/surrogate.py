"""Networks that masks are made against."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
from jaxtyping import Array, Float

from tipim_jax.method.identity import normalise

Images = Float[Array, "batch height width 3"]


@partial(jax.tree_util.register_dataclass, data_fields=["variables"], meta_fields=["embed"])
@dataclass(frozen=True)
class Surrogate:
    """A network that masks are made against.

    Attributes:
      embed: (variables, images in [0, 255]) -> embeddings of any length, not normalised.
      variables: the network's weights; an argument of the compiled program, never a constant in it.
    """

    embed: Callable[[Any, Images], Float[Array, "batch dim"]]
    variables: Any

    def __call__(self, images: Images) -> Float[Array, "batch dim"]:
        return normalise(self.embed(self.variables, images))

    def embed_one(self, image: Float[Array, "height width 3"]) -> Float[Array, " dim"]:
        return self(image[None])[0]
