"""dlib's face recognition ResNet (`anet_type` in dlib's examples/dnn_face_recognition_ex.cpp).

Its conventions differ from everyone else's: strided convolutions and pools take no padding, so
that the maps shrink 150, 72, 35, 17, 8, 4, 2; and the sum behind a block whose shortcut has fewer
channels, or whose convolutions leave a smaller map, fills what is missing with zeros.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from tipim_jax.networks.layers import Affine, Conv, Linear
from tipim_jax.networks.ops.pool import max_pool
from tipim_jax.networks.ops.sliding import SlidingWindows

# (features, blocks, whether the first block halves the map) from the stem on: alevel4 .. alevel0.
LEVELS = ((32, 3, False), (64, 4, True), (128, 3, True), (256, 3, True), (256, 1, True))


class DlibResNet(nn.Module):
    """Embeds normalised 150x150 faces.

    Attributes:
      embedding_size: length of an embedding.
      dtype: what the network computes in.
    """

    embedding_size: int = 128
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: Float[Array, "b 150 150 3"]) -> Float[Array, "b dim"]:
        x = images.astype(self.dtype)
        x = nn.relu(_Unit(32, 7, stride=2, name="stem")(x))
        x = max_pool(x, SlidingWindows(3, stride=2, padding=0))
        for level, (features, blocks, down) in enumerate(LEVELS):
            for block in range(blocks):
                name = f"level{level}_{block}"
                x = _Block(features, down=down and block == 0, name=name)(x)
        return Linear(self.embedding_size, name="head")(x.mean(axis=(1, 2)))


class _Unit(nn.Module):
    """Convolution with bias and dlib's default padding, and the affine layer behind it."""

    features: int
    size: int
    stride: int = 1

    @nn.compact
    def __call__(self, x):
        padding = self.size // 2 if self.stride == 1 else 0
        x = Conv(self.features, self.size, self.stride, padding, bias=True, name="conv")(x)
        return Affine(name="affine")(x)


class _Block(nn.Module):
    features: int
    down: bool

    @nn.compact
    def __call__(self, x):
        y = nn.relu(_Unit(self.features, 3, stride=2 if self.down else 1, name="first")(x))
        y = _Unit(self.features, 3, name="second")(y)
        shortcut = _halve(x) if self.down else x
        return nn.relu(_add(shortcut, y))


def _halve(x):
    """Means of 2x2 pixels; an odd row or column at the end is left out."""
    batch, height, width, channels = x.shape
    rows, columns = height // 2, width // 2
    pairs = x[:, : rows * 2, : columns * 2].reshape(batch, rows, 2, columns, 2, channels)
    return pairs.mean(axis=(2, 4))


def _add(a, b):
    """Sum of two maps, each extended with zeros at the bottom, at the right and in channels."""
    if a.shape == b.shape:
        return a + b
    shape = tuple(max(pair) for pair in zip(a.shape, b.shape, strict=True))
    return _extend(a, shape) + _extend(b, shape)


def _extend(x, shape):
    edges = tuple((0, want - have, 0) for want, have in zip(shape, x.shape, strict=True))
    return jax.lax.pad(x, jnp.zeros((), x.dtype), edges)
