"""A face recognition network: its weights' origin and everything that its input goes through."""

from dataclasses import dataclass
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from tipim_jax.networks.dlib_resnet import DlibResNet
from tipim_jax.networks.edgeface import EdgeFace
from tipim_jax.networks.face_resnet import FaceResNet
from tipim_jax.networks.inception_resnet import InceptionResNetV1
from tipim_jax.networks.iresnet import IResNet
from tipim_jax.networks.lightcnn import LightCNN
from tipim_jax.networks.mobilefacenet import MobileFaceNet
from tipim_jax.networks.nn4 import NN4Small2
from tipim_jax.networks.preprocess import normalise, view
from tipim_jax.networks.sface import SFace
from tipim_jax.networks.sphere import SphereNet
from tipim_jax.origin import Origin

CROP_SIZE = (112, 112)
WHOLE_CROP = (0.0, 0.0, 112.0, 112.0)
_ARCHITECTURES = {
    module.__name__: module
    for module in (
        DlibResNet,
        EdgeFace,
        FaceResNet,
        InceptionResNetV1,
        IResNet,
        LightCNN,
        MobileFaceNet,
        NN4Small2,
        SFace,
        SphereNet,
    )
}

# Images that a CPU takes through the network together: XLA finishes a layer for all of them before
# it starts the next, and the maps of more than these fall out of the cache. At a batch of 16 this
# makes mobileface's gradient 1.7 times faster.
_IN_CACHE = 4
# Where all maps of a batch of 16 stay in the cache, taking it in parts only costs: EdgeFace's
# gradient a fifth of its time.
_SMALL = ("EdgeFace",)


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
      region: (top, left, bottom, right), the part of the canonical crop that fills that size, in
        the crop's pixels.
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
    region: tuple[float, float, float, float] = WHOLE_CROP
    non_commercial: bool = False
    threshold: float | None = None
    published_thresholds: tuple[PublishedThreshold, ...] = ()

    @property
    def channels(self) -> int:
        """Of the module's input."""
        return 1 if self.channel_order == "grey" else 3

    def module(self, dtype: jnp.dtype = jnp.float32) -> nn.Module:
        """The Flax module, which computes in `dtype` and takes preprocessed images."""
        build = _ARCHITECTURES[self.architecture]
        return build(embedding_size=self.embedding_size, dtype=dtype, **dict(self.options))

    def embed(
        self,
        variables: dict[str, Any],
        images: Float[Array, "batch height width 3"],
        *,
        dtype: jnp.dtype = jnp.float32,
    ) -> Float[Array, "batch dim"]:
        """Embeds aligned faces.

        Args:
          variables: `params` and, where the architecture has them, `batch_stats`.
          images: RGB in [0, 255]: canonical crops, 112x112, or faces aligned the network's own way
            and of its own size, which are not resized.
          dtype: what the network computes in; preprocessing is always in float32.

        Returns:
          Embeddings in float32 as the network gives them, not normalised.

        Raises:
          ValueError: the images have another size.
        """
        module = self.module(dtype)
        if images.shape[1:3] == CROP_SIZE:
            region = self.region
        elif images.shape[1:3] == self.input_size:
            region = (0, 0, *self.input_size)
        else:
            raise ValueError(
                f"{self.name} takes crops of {CROP_SIZE} or {self.input_size} pixels, "
                f"got {images.shape[1:3]}"
            )

        def embed(images):
            seen = view(images, region, self.input_size)
            inputs = normalise(seen, self.channel_order, self.mean, self.std)
            return module.apply(variables, inputs).astype(jnp.float32)

        at_once = len(images)
        if jax.default_backend() == "cpu" and self.architecture not in _SMALL:
            at_once = max(n for n in range(1, _IN_CACHE + 1) if at_once % n == 0)
        if at_once == len(images):
            return embed(images)
        chunks = images.reshape(-1, at_once, *images.shape[1:])
        return jax.lax.map(embed, chunks).reshape(len(images), self.embedding_size)

    def abstract_variables(self) -> dict[str, Any]:
        """Shapes and dtypes of `variables`, without any values."""
        images = jax.ShapeDtypeStruct((1, *self.input_size, self.channels), jnp.float32)
        return jax.eval_shape(self.module().init, jax.random.key(0), images)
