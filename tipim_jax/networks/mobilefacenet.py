"""MobileFaceNet (Chen et al. 2018, arXiv 1804.07573) as TreB1eN/InsightFace_Pytorch builds it.

Differences from the paper's table 1: PReLU after the first depthwise convolution as everywhere, and
a linear layer with batch normalisation, not a 1x1 convolution, behind the global depthwise one.

InsightFace's (recognition/arcface_torch/backbones/mobilefacenet.py, `get_mbf`) is twice as wide,
but where the blocks expand; its second convolution keeps 64 groups, so it is not depthwise. The
network of the model pack buffalo_s differs from that file in its head: a 1x1 convolution to 64
channels and one linear layer over all their pixels.
"""

from collections.abc import Callable
from functools import partial
from typing import Literal

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from tipim_jax.networks.layers import BatchNorm, Conv, Depthwise, Linear, PRelu, parameter
from tipim_jax.networks.ops.depthwise import grouped_conv

_EPSILON = 1e-5  # PyTorch's default


class MobileFaceNet(nn.Module):
    """Embeds normalised 112x112 faces.

    Attributes:
      embedding_size: length of an embedding.
      dtype: what the network computes in.
      width: multiplies the features between the blocks.
      variant: whose head it has.
    """

    embedding_size: int = 512
    dtype: jnp.dtype = jnp.float32
    width: int = 1
    variant: Literal["treb1en", "insightface"] = "treb1en"

    @nn.compact
    def __call__(self, images: Float[Array, "b 112 112 3"]) -> Float[Array, "b dim"]:
        narrow, wide = 64 * self.width, 128 * self.width
        x = images.astype(self.dtype)
        x = _Unit(partial(Conv, narrow, 3, stride=2, padding=1), name="stem")(x)
        second = Depthwise if self.width == 1 else partial(_Grouped, self.width)
        x = _Unit(partial(second, 3, padding=1), name="stem_depthwise")(x)
        x = _Bottleneck(128, narrow, stride=2, name="down2")(x)
        for index in range(4):
            x = x + _Bottleneck(128, narrow, name=f"stage2_{index}")(x)
        x = _Bottleneck(256, wide, stride=2, name="down3")(x)
        for index in range(6):
            x = x + _Bottleneck(256, wide, name=f"stage3_{index}")(x)
        x = _Bottleneck(512, wide, stride=2, name="down4")(x)
        for index in range(2):
            x = x + _Bottleneck(256, wide, name=f"stage4_{index}")(x)
        x = _Unit(partial(Linear, 512), name="head_expand")(x)
        linear = partial(Linear, self.embedding_size)
        if self.variant == "insightface":
            x = _Unit(partial(Linear, 64), name="head_reduce")(x)
            linear = partial(linear, bias=True)
        else:
            x = _Unit(partial(Depthwise, 7), activation=False, name="head_depthwise")(x)
        x = x.reshape(x.shape[0], -1)
        return _Unit(linear, activation=False, name="head_linear")(x)


class _Unit(nn.Module):
    """A convolution, batch normalisation and, unless told otherwise, a PReLU."""

    conv: Callable[..., nn.Module]
    activation: bool = True

    @nn.compact
    def __call__(self, x):
        x = BatchNorm(_EPSILON, name="norm")(self.conv(name="conv")(x))
        return PRelu(name="prelu")(x) if self.activation else x


class _Grouped(nn.Module):
    """k x k kernels over groups of `members` channels, which stand apart (see `grouped_conv`)."""

    members: int
    size: int
    padding: int

    @nn.compact
    def __call__(self, x):
        shape = (self.size, self.size, self.members, x.shape[-1])
        kernel = parameter(self, "kernel", nn.initializers.lecun_normal(), shape)
        return grouped_conv(x, kernel.astype(x.dtype), 1, self.padding)


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
