"""LightCNN-V4 of AlfredXiangWu/LightCNN (`light_cnn_v4.py`); Wu et al. 2015, arXiv 1511.02683.

The activation is the max-feature-map: of two halves of the channels, the greater value. Differences
from the paper's networks: three channels in place of grey, blocks of two 3x3 convolutions without
1x1 ones, pooling by the maximum plus the average, and a linear layer without activation at the end,
whose output is the embedding.
"""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from tipim_jax.networks.layers import Conv, Linear
from tipim_jax.networks.ops.pool import max_pool
from tipim_jax.networks.ops.sliding import SlidingWindows

# (features, residual blocks before the next convolution, whether it is pooled) of conv1 .. conv5.
STAGES = ((48, 1, True), (96, 2, True), (192, 3, True), (128, 4, False), (128, 0, True))


class LightCNN(nn.Module):
    """Embeds normalised 128x128 faces.

    Attributes:
      embedding_size: length of an embedding.
      dtype: what the network computes in.
    """

    embedding_size: int = 256
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: Float[Array, "b 128 128 3"]) -> Float[Array, "b dim"]:
        x = images.astype(self.dtype)
        for stage, (features, blocks, pooled) in enumerate(STAGES, start=1):
            x = _MaxFeatureMap(features, name=f"conv{stage}")(x)
            x = _pool(x) if pooled else x
            for block in range(blocks):
                x = x + _Block(features, name=f"stage{stage}_{block}")(x)
        x = x.reshape(x.shape[0], -1)
        return Linear(self.embedding_size, bias=True, name="head")(x)


class _MaxFeatureMap(nn.Module):
    """A 3x3 convolution to twice the features, and the maximum of both halves."""

    features: int

    @nn.compact
    def __call__(self, x):
        x = Conv(2 * self.features, 3, padding=1, bias=True, name="conv")(x)
        return jnp.maximum(x[..., : self.features], x[..., self.features :])


class _Block(nn.Module):
    features: int

    @nn.compact
    def __call__(self, x):
        x = _MaxFeatureMap(self.features, name="first")(x)
        return _MaxFeatureMap(self.features, name="second")(x)


def _pool(x):
    """Maximum plus mean of 2x2 pixels."""
    batch, height, width, channels = x.shape
    pairs = x.reshape(batch, height // 2, 2, width // 2, 2, channels)
    return max_pool(x, SlidingWindows(2, stride=2, padding=0)) + pairs.mean(axis=(2, 4))
