"""MobileFaceNet (Chen et al. 2018, arXiv 1804.07573) as TreB1eN/InsightFace_Pytorch builds it.

Differences from the paper's table 1: PReLU after the first depthwise convolution as everywhere, and
a linear layer with batch normalisation, not a 1x1 convolution, behind the global depthwise one.
"""

from collections.abc import Callable
from functools import partial

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from tipim_jax.networks.layers import BatchNorm, Conv, Depthwise, Linear, PRelu

_EPSILON = 1e-5  # PyTorch's default


class MobileFaceNet(nn.Module):
    """Embeds normalised 112x112 faces.

    Attributes:
      embedding_size: length of an embedding.
      dtype: what the network computes in.
    """

    embedding_size: int = 512
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: Float[Array, "b 112 112 3"]) -> Float[Array, "b dim"]:
        x = images.astype(self.dtype)
        x = _Unit(partial(Conv, 64, 3, stride=2, padding=1), name="stem")(x)
        x = _Unit(partial(Depthwise, 3, padding=1), name="stem_depthwise")(x)
        x = _Bottleneck(128, 64, stride=2, name="down2")(x)
        for index in range(4):
            x = x + _Bottleneck(128, 64, name=f"stage2_{index}")(x)
        x = _Bottleneck(256, 128, stride=2, name="down3")(x)
        for index in range(6):
            x = x + _Bottleneck(256, 128, name=f"stage3_{index}")(x)
        x = _Bottleneck(512, 128, stride=2, name="down4")(x)
        for index in range(2):
            x = x + _Bottleneck(256, 128, name=f"stage4_{index}")(x)
        x = _Unit(partial(Linear, 512), name="head_expand")(x)
        x = _Unit(partial(Depthwise, 7), activation=False, name="head_depthwise")(x)
        x = x.reshape(x.shape[0], -1)
        return _Unit(partial(Linear, self.embedding_size), activation=False, name="head_linear")(x)


class _Unit(nn.Module):
    """A convolution, batch normalisation and, unless told otherwise, a PReLU."""

    conv: Callable[..., nn.Module]
    activation: bool = True

    @nn.compact
    def __call__(self, x):
        x = BatchNorm(_EPSILON, name="norm")(self.conv(name="conv")(x))
        return PRelu(name="prelu")(x) if self.activation else x


class _Bottleneck(nn.Module):
    """Expansion to `width` channels, depthwise 3x3, linear projection to `features`."""

    width: int
    features: int
    stride: int = 1

    @nn.compact
    def __call__(self, x):
        x = _Unit(partial(Linear, self.width), name="expand")(x)
        x = _Unit(partial(Depthwise, 3, stride=self.stride, padding=1), name="depthwise")(x)
        return _Unit(partial(Linear, self.features), activation=False, name="project")(x)
