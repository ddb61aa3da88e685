"""Recognisers: networks with their weights, as those who search would use them."""

import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Num

import weights_convert
from tipim_jax import networks
from tipim_jax.identification.faces import Shown
from tipim_jax.networks import Network
from tipim_jax.networks.window import Window
from tipim_jax.runtime import uncollected

BATCH = 16  # faces that are embedded together
# A CPU gains nothing by more (`networks.inference`), and one photo's two faces are soon known.
_BATCH_ON_CPU = 4
# On an accelerator, of sets of faces. Other sizes would be programs of their own, each of which
# takes up to a minute to compile.
_MANY = 128


def together() -> int:
    """Number of faces of a set that are shown to a recogniser at once."""
    return BATCH if jax.default_backend() == "cpu" else _MANY


@dataclass(frozen=True, eq=False)
class Recogniser:
    """A network with its weights.

    Attributes:
      network: the registry's entry.
      variables: the weights, which masks may share that are made against it.
      window: how it looks at faces in photos; None for the network's own way.
    """

    network: Network
    variables: Any
    window: Window | None = None

    @cached_property
    def looking(self) -> Network:
        """The network with the window that it looks through."""
        return dataclasses.replace(self.network, window=self.window or self.network.window)

    def through(self, window: Window) -> "Recogniser":
        """The same weights, which see faces in photos as another program shows them."""
        return dataclasses.replace(self, window=window)

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
        return cls(networks.get(name), jax.device_put(weights_convert.load(name)))

    def __call__(
        self, images: Num[np.ndarray, "images height width 3"], *, many: bool = False
    ) -> Float[np.ndarray, "images dim"]:
        """Embeddings, not normalised; batches of one shape, so that one program serves any number.

        Args:
          images: RGB in [0, 255]: canonical crops, or faces of the network's own input size.
          many: They are of a set, `together` or fewer at its end: an accelerator takes more at once
            than it would of a photo's.
        """
        size = _BATCH_ON_CPU if jax.default_backend() == "cpu" else _MANY if many else BATCH
        embeddings = [np.zeros((0, self.network.embedding_size), np.float32)]
        for first in range(0, len(images), size):
            batch = images[first : first + size].astype(np.float32)
            padded = np.pad(batch, ((0, size - len(batch)), *((0, 0),) * 3))
            with uncollected():
                found = _embed(self.network, self.variables, jnp.asarray(padded))
            embeddings.append(np.asarray(found)[: len(batch)])
        return np.concatenate(embeddings)


def embed(
    recognisers: Mapping[str, Recogniser],
    faces: Iterable[Shown],
    progress: Callable[[float], None] = lambda _: None,
) -> dict[str, Float[np.ndarray, "faces dim"]]:
    """The embeddings of each recogniser.

    Each face is taken once and shown to all of them; nothing but embeddings is kept of it.

    Args:
      progress: called with the number of faces just shown.
    """
    found = {
        name: [np.zeros((0, recogniser.network.embedding_size), np.float32)]
        for name, recogniser in recognisers.items()
    }
    for name, embeddings in embed_batches(recognisers, faces, progress):
        found[name].append(embeddings)
    return {name: np.concatenate(parts) for name, parts in found.items()}


def embed_batches(
    recognisers: Mapping[str, Recogniser],
    faces: Iterable[Shown],
    progress: Callable[[float], None] = lambda _: None,
) -> Iterator[tuple[str, Float[np.ndarray, "some dim"]]]:
    """As `embed`, the next few embeddings of one recogniser at a time."""
    waiting, most = {name: [] for name in recognisers}, together()
    for face in faces:
        for name, recogniser in recognisers.items():
            waiting[name].append(face.to(recogniser.looking))
            if len(waiting[name]) == most:
                yield name, recogniser(np.stack(waiting[name]), many=True)
                waiting[name].clear()
        progress(1)
    for name, recogniser in recognisers.items():
        if waiting[name]:
            yield name, recogniser(np.stack(waiting[name]), many=True)


@partial(jax.jit, static_argnums=0)
def _embed(network, variables, images):
    return network.embed(variables, images)
