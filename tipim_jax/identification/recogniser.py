"""A recogniser: a network with its weights, as the one who searches would use it."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Num

import weights_convert
from tipim_jax import networks
from tipim_jax.networks import Network

BATCH = 16  # faces that are embedded together


@dataclass(frozen=True, eq=False)
class Recogniser:
    """A network with its weights.

    Attributes:
      network: the registry's entry.
      variables: the weights.
    """

    network: Network
    variables: Any

    @cached_property
    def digest(self) -> str:
        """A short hash of the network's name and weights."""
        digest = hashlib.sha256(self.network.name.encode())
        for leaf in jax.tree.leaves(self.variables):
            digest.update(np.ascontiguousarray(leaf))
        return digest.hexdigest()[:16]

    @classmethod
    def load(cls, name: str) -> "Recogniser":
        """With the weights from the cache, where they are put on first use.

        Raises:
          ValueError, ConversionError: as `weights_convert.load`.
        """
        return cls(networks.get(name), weights_convert.load(name))

    def __call__(
        self,
        crops: Num[np.ndarray, "images 112 112 3"],
        progress: Callable[[float], None] = lambda _: None,
    ) -> Float[np.ndarray, "images dim"]:
        """Embeddings, not normalised; batches of one shape, so that one program serves any number.

        Args:
          crops: RGB in [0, 255].
          progress: called with the number of images just done.
        """
        embeddings = []
        for first in range(0, len(crops), BATCH):
            batch = crops[first : first + BATCH]
            padding = np.zeros((BATCH - len(batch), *batch.shape[1:]), np.float32)
            padded = jnp.asarray(np.concatenate([batch.astype(np.float32), padding]))
            found = _embed(self.network, self.variables, padded)
            embeddings.append(np.asarray(found)[: len(batch)])
            progress(len(batch))
        if not embeddings:
            return np.zeros((0, self.network.embedding_size), np.float32)
        return np.concatenate(embeddings)


@partial(jax.jit, static_argnums=0)
def _embed(network, variables, images):
    """Accelerators would round the factors of products to 10 bits, which moves near neighbours."""
    with jax.default_matmul_precision("highest"):
        return network.embed(variables, images)
