"""A face recognition network: its weights' origin and everything that its input goes through.

Commands list networks before they have anything to compute: what computes, and imports JAX and
Flax, is in `inference` and imported when it is first asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tipim_jax.networks.origin import Origin
from tipim_jax.networks.precision import PRECISIONS, Precision
from tipim_jax.networks.window import FIVE_POINTS, Window

if TYPE_CHECKING:
    import flax.linen as nn
    from jaxtyping import Array, Float
    from numpy.typing import DTypeLike


@dataclass(frozen=True)
class PublishedThreshold:
    """A threshold that somebody else states.

    Attributes:
      cosine: from which two faces count as one person.
      protocol: what it was chosen by, and by whom.
    """

    cosine: float
    protocol: str


@dataclass(frozen=True, kw_only=True)
class Network:
    """A face recognition network.

    Attributes:
      name: what users call it.
      architecture: class name of the Flax module.
      options: (attribute, value) of the module, beside `embedding_size` and `dtype`.
      loss: the loss that it was trained with and, where it is known, the faces.
      embedding_size: length of an embedding.
      input_size: (height, width) in pixels that the module expects.
      window: how its own software looks at a face in a photo.
      channel_order: of the module's input; "grey" is one channel, 0.299 R + 0.587 G + 0.114 B.
      mean, std: the module's input is (x - mean) / std, x in [0, 255], in `channel_order`; both
        None where each image is standardised by its own mean and standard deviation.
      licence: SPDX name of the weights' licence, as their origin states it, or "not stated".
      non_commercial: whether the licence admits research alone; users have to accept it then.
      origin: address of the project that trained the weights.
      threshold: cosine from which two faces count as one person, measured here: one pair of
        different people in a thousand reaches it. None where there were no weights to measure.
      published_thresholds: what others state.
      weights: where the file is that the weights are converted from; None where every user has to
        bring one.
    """

    name: str
    architecture: str
    loss: str
    embedding_size: int
    input_size: tuple[int, int]
    channel_order: Literal["RGB", "BGR", "grey"]
    mean: tuple[float, ...] | None
    std: tuple[float, ...] | None
    licence: str
    origin: str
    weights: Origin | None
    options: tuple[tuple[str, Any], ...] = ()
    window: Window = FIVE_POINTS
    non_commercial: bool = False
    threshold: float | None = None
    published_thresholds: tuple[PublishedThreshold, ...] = ()

    @property
    def channels(self) -> int:
        """Of the module's input."""
        return 1 if self.channel_order == "grey" else 3

    def module(self, dtype: DTypeLike = np.float32) -> nn.Module:
        """The Flax module, which computes in `dtype` and takes preprocessed images."""
        from tipim_jax.networks import inference

        return inference.module(self, dtype)

    def embed(
        self,
        variables: dict[str, Any],
        images: Float[Array, "batch height width 3"],
        *,
        precision: Precision = PRECISIONS["float32"],
    ) -> Float[Array, "batch dim"]:
        """Embeds aligned faces.

        Args:
          variables: `params` and, where the architecture has them, `batch_stats`.
          images: RGB in [0, 255]: canonical crops, 112x112, of which the window's region is taken,
            or faces seen through a window, of the network's own size, which are not resized.
          precision: what the network computes in; preprocessing is always in float32.

        Returns:
          Embeddings in float32 as the network gives them, not normalised.

        Raises:
          ValueError: the images have another size.
        """
        from tipim_jax.networks import inference

        return inference.embed(self, variables, images, precision)

    def weights_in(self, variables: dict[str, Any], precision: Precision) -> dict[str, Any]:
        """The weights for `embed` in a precision: kernels in its dtype.

        It changes nothing of what comes out, but spares converting them in each pass.
        """
        from tipim_jax.networks import inference

        return inference.weights_in(variables, precision)

    def abstract_variables(self) -> dict[str, Any]:
        """Shapes and dtypes of `variables`, without any values."""
        from tipim_jax.networks import inference

        return inference.abstract_variables(self)
