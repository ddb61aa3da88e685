"""GhostFaceNetV1 1.3-1 (Alansari et al. 2023, IEEE Access), of HamadYA/GhostFaceNets and DeepFace.

GhostNet (Han et al. 2020, arXiv 1911.11907; `backbones/ghost_model.py` there) without its first
reduction, PReLU in the place of ReLU, and a depthwise convolution over the whole last map. Half of
the features of every layer are made of the other half, cheaply.
"""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from tipim_jax.networks.layers import BatchNorm, Conv, Depthwise, Linear, PRelu

STEM = 20  # features
TAIL = 664
# Of each block: size of its depthwise convolutions, stride, features inside and of what it gives,
# features between the two layers of squeeze-and-excitation (0: there is none).
BLOCKS = (
    (3, 1, 20, 20, 0),
    (3, 2, 64, 32, 0),
    (3, 1, 92, 32, 0),
    (5, 2, 92, 52, 24),
    (5, 1, 156, 52, 40),
    (3, 2, 312, 104, 0),
    (3, 1, 260, 104, 0),
    (3, 1, 240, 104, 0),
    (3, 1, 240, 104, 0),
    (3, 1, 624, 144, 156),
    (3, 1, 872, 144, 220),
    (5, 2, 872, 208, 220),
    (5, 1, 1248, 208, 0),
    (5, 1, 1248, 208, 312),
    (5, 1, 1248, 208, 0),
    (5, 1, 664, 208, 168),
)
_EPSILON = 1e-3  # Keras's default


class GhostFaceNet(nn.Module):
    """Embeds normalised 112x112 faces.

    Attributes:
      embedding_size: length of an embedding.
      dtype: what the network computes in.
    """

    embedding_size: int = 512
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: Float[Array, "b 112 112 3"]) -> Float[Array, "b dim"]:
        x = _Unit(STEM, 3, name="stem")(images.astype(self.dtype))
        for index, block in enumerate(BLOCKS):
            x = _Bottleneck(*block, name=f"block{index}")(x)
        x = _Unit(TAIL, name="tail")(x)
        x = Depthwise(x.shape[1], name="whole_conv")(x).reshape(len(x), -1)
        x = BatchNorm(_EPSILON, name="whole_norm")(x)
        x = Linear(self.embedding_size, bias=True, name="linear")(x)
        return BatchNorm(_EPSILON, name="norm")(x)


def changes_shape(features_before: int, stride: int, features: int) -> bool:
    """Whether what a block adds to is not what it was given."""
    return stride > 1 or features_before != features


class _Bottleneck(nn.Module):
    size: int
    stride: int
    inner: int
    features: int
    squeezed: int

    @nn.compact
    def __call__(self, x):
        y = _Ghost(self.inner, active=True, name="expand")(x)
        if self.stride > 1:
            y = _DepthwiseUnit(self.size, self.stride, name="reduce")(y)
        if self.squeezed:
            y = _SqueezeExcite(self.squeezed, name="weigh")(y)
        y = _Ghost(self.features, active=False, name="project")(y)
        if changes_shape(x.shape[-1], self.stride, self.features):
            x = _DepthwiseUnit(self.size, self.stride, name="shortcut_reduce")(x)
            x = _Unit(self.features, active=False, name="shortcut_project")(x)
        return x + y


class _Ghost(nn.Module):
    """Half of the features, and as many that are made of them."""

    features: int
    active: bool

    @nn.compact
    def __call__(self, x):
        primary = _Unit(self.features // 2, active=self.active, name="primary")(x)
        cheap = _DepthwiseUnit(3, active=self.active, name="cheap")(primary)
        return jnp.concatenate([primary, cheap], axis=-1)


class _Unit(nn.Module):
    """A convolution, batch normalisation and, where it is active, PReLU."""

    features: int
    size: int = 1
    active: bool = True

    @nn.compact
    def __call__(self, x):
        if self.size == 1:
            x = Linear(self.features, name="conv")(x)
        else:
            x = Conv(self.features, self.size, padding=self.size // 2, name="conv")(x)
        x = BatchNorm(_EPSILON, name="norm")(x)
        return PRelu(name="prelu")(x) if self.active else x


class _DepthwiseUnit(nn.Module):
    """The same of each channel by itself; at stride 2 as TensorFlow pads maps of even sides: what
    is missing on both sides together is odd, and the odd row and column are at the end."""

    size: int
    stride: int = 1
    active: bool = False

    @nn.compact
    def __call__(self, x):
        padding = self.size // 2
        if self.stride > 1:
            x = jnp.pad(x, ((0, 0), (0, 1), (0, 1), (0, 0)))
            padding -= 1
        x = Depthwise(self.size, self.stride, padding, name="conv")(x)
        x = BatchNorm(_EPSILON, name="norm")(x)
        return PRelu(name="prelu")(x) if self.active else x


class _SqueezeExcite(nn.Module):
    """Weighs channels by what all their pixels together say."""

    squeezed: int

    @nn.compact
    def __call__(self, x):
        weights = Linear(self.squeezed, bias=True, few=True, name="squeeze")(x.mean(axis=(1, 2)))
        weights = PRelu(name="prelu")(weights)
        weights = Linear(x.shape[-1], bias=True, few=True, name="excite")(weights)
        # The hard sigmoid of Keras 2; PyTorch's and Keras 3's are flatter.
        return x * jnp.clip(0.2 * weights + 0.5, 0, 1)[:, None, None]
