"""EdgeFace-S (George et al. 2024, arXiv 2307.01838) as otroshi/edgeface publishes it, gamma 0.5.

EdgeNeXt (Maaz et al. 2022, arXiv 2206.10589; timm's `edgenext.py`) for small images, every linear
layer replaced by two of half the rank. Convolutions mix pixels; at the end of each stage but the
first, attention between channels (XCA) mixes the whole map. The encoding of positions, which timm
computes from learnt weights, is a constant of the published graph and so a parameter here.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from tipim_jax.networks.layers import (
    Conv,
    Depthwise,
    LayerNorm,
    Linear,
    exact_dtype,
    parameter,
)
from tipim_jax.networks.ops.sums import pixel_sum

CHANNELS = (48, 96, 160, 304)  # of the stages
DEPTHS = (3, 3, 9, 3)  # blocks in each
KERNELS = (3, 5, 7, 9)  # of their depthwise convolutions
SCALES = (0, 2, 3, 4)  # parts into which the last block splits its channels; 0: no such block
HEADS = 8
EXPANSION = 4  # of the perceptrons
EPSILON = 1e-6  # of the normalisations
LEAST_NORM = 1e-12  # of queries and keys, PyTorch's default in `normalize`


class EdgeFace(nn.Module):
    """Embeds normalised 112x112 faces.

    Attributes:
      embedding_size: length of an embedding.
      dtype: what convolutions and linear layers take and give. What the blocks add up to, and sums
        over many values, are at least in float32. Of 4,560 cosines between faces, bfloat16 changes
        none by more than 0.0091; without that, 0.0103.
    """

    embedding_size: int = 512
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: Float[Array, "b 112 112 3"]) -> Float[Array, "b dim"]:
        # What the blocks add up to is kept exact, what goes into them is not.
        dtype, exact = self.dtype, exact_dtype(self.dtype)
        x = images.astype(dtype)
        for stage, channels in enumerate(CHANNELS):
            if stage == 0:
                x = Conv(channels, 4, stride=4, bias=True, name="stem_conv")(x)
                x = LayerNorm(EPSILON, name="stem_norm")(x.astype(exact))
            else:
                x = LayerNorm(EPSILON, name=f"down{stage}_norm")(x).astype(dtype)
                x = Conv(channels, 2, stride=2, bias=True, name=f"down{stage}_conv")(x)
                x = x.astype(exact)
            for index in range(DEPTHS[stage]):
                name = f"stage{stage}_{index}"
                if SCALES[stage] and index == DEPTHS[stage] - 1:
                    block = _AttentionBlock(SCALES[stage], position=stage == 1, name=name)
                else:
                    block = _ConvBlock(KERNELS[stage], name=name)
                x = x + block(x.astype(dtype))
        x = LayerNorm(EPSILON, name="head_norm")(x.mean(axis=(1, 2))).astype(dtype)
        return _LowRank(self.embedding_size, name="head_linear")(x)


class _ConvBlock(nn.Module):
    """A depthwise convolution and a perceptron for each pixel."""

    size: int

    @nn.compact
    def __call__(self, x):
        x = Depthwise(self.size, padding=self.size // 2, bias=True, name="conv")(x)
        return _Perceptron(name="perceptron")(x)


class _AttentionBlock(nn.Module):
    """Convolutions over parts of the channels, one after the other, attention and a perceptron."""

    scales: int
    position: bool

    @nn.compact
    def __call__(self, x):
        width = -(-x.shape[-1] // self.scales)
        *parts, last = jnp.split(x, [*range(width, x.shape[-1], width)], axis=-1)
        for index, part in enumerate(parts):
            before = parts[index - 1] if index else 0
            conv = Depthwise(3, padding=1, bias=True, name=f"conv{index}")
            parts[index] = conv(part + before)
        x = jnp.concatenate([*parts, last], axis=-1)
        if self.position:
            position = parameter(self, "position", nn.initializers.zeros_init(), x.shape[1:])
            x = x + position.astype(x.dtype)
        attended = _ChannelAttention(name="attention")(LayerNorm(EPSILON, name="attention_norm")(x))
        x = x + _Gain(name="attention_gain")(attended)
        return _Perceptron(name="perceptron")(x)


class _ChannelAttention(nn.Module):
    """Every channel becomes a mean of those in its head, by their likeness over all pixels."""

    @nn.compact
    def __call__(self, x: Float[Array, "batch h w c"]) -> Float[Array, "batch h w c"]:
        batch, height, width, channels = x.shape
        shape = (batch, height * width, 3, HEADS, channels // HEADS)
        q, k, v = jnp.moveaxis(_LowRank(3 * channels, name="qkv")(x).reshape(shape), 2, 0)
        temperature = parameter(self, "temperature", nn.initializers.ones_init(), (HEADS,))
        exact = exact_dtype(x.dtype)
        products = jnp.einsum("bnhq,bnhk->bhqk", q, k, preferred_element_type=exact)
        # One after the other: of the product of two least norms the derivative is not finite.
        cosines = products / _norms(q, exact)[..., None] / _norms(k, exact)[..., None, :]
        weights = jax.nn.softmax(cosines * temperature.astype(exact)[:, None, None], axis=-1)
        mixed = jnp.einsum("bhqk,bnhk->bnhq", weights.astype(x.dtype), v)
        return _LowRank(channels, name="project")(mixed.reshape(x.shape))


def _norms(x, dtype):
    """Of each channel over the pixels, `batch heads channels`."""
    # The root of 0, which a query that no pixel has would give, has no derivative.
    squares = pixel_sum(jnp.square(x.astype(dtype)))
    return jnp.sqrt(jnp.maximum(squares, LEAST_NORM**2))


class _Perceptron(nn.Module):
    """Normalisation, expansion, GELU, projection and a gain per channel."""

    @nn.compact
    def __call__(self, x):
        y = _LowRank(EXPANSION * x.shape[-1], name="expand")(LayerNorm(EPSILON, name="norm")(x))
        y = _LowRank(x.shape[-1], name="project")(_gelu(y))
        return _Gain(name="gain")(y)


def _gelu(x):
    """With the error function, not its approximation by tanh."""
    exact = x.astype(exact_dtype(x.dtype))
    return (exact * 0.5 * (1 + jax.lax.erf(exact * 0.5**0.5))).astype(x.dtype)


class _LowRank(nn.Module):
    """A linear layer of half the rank that it could have."""

    features: int

    @nn.compact
    def __call__(self, x):
        x = Linear(min(x.shape[-1], self.features) // 2, name="reduce")(x)
        return Linear(self.features, bias=True, name="expand")(x)


class _Gain(nn.Module):
    @nn.compact
    def __call__(self, x):
        gain = parameter(self, "gain", nn.initializers.ones_init(), x.shape[-1:])
        return x * gain.astype(x.dtype)
