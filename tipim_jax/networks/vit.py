"""The vision transformer (Dosovitskiy et al. 2021, arXiv 2010.11929) as faces are recognised by it.

InsightFace's `backbones/vit.py`, which bytedance/LVFace and mk-minchul/CVLface took over.
Differences from the paper: there is no class token, but the features of all patches, side by side,
go through two linear layers with batch normalisation; ReLU6 stands in the place of GELU; queries,
keys and values have no bias. What patches do not fill, at the bottom and the right, is not seen.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from tipim_jax.networks.layers import BatchNorm, LayerNorm, Linear, exact_dtype, parameter

EPSILON = 1e-5  # of layer normalisation, PyTorch's default
HEAD_EPSILON = 2e-5  # of batch normalisation


class VisionTransformer(nn.Module):
    """Embeds normalised faces.

    Attributes:
      patch: side of a patch in pixels.
      width: channels of a patch.
      depth: number of blocks.
      heads: of the attention.
      expansion: of the perceptrons.
      embedding_size: length of an embedding.
      dtype: what linear layers take and give. What the blocks add up to, and sums over many values,
        are at least in float32.
    """

    patch: int
    width: int
    depth: int
    heads: int
    expansion: int
    embedding_size: int = 512
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: Float[Array, "b h w 3"]) -> Float[Array, "b dim"]:
        dtype, exact = self.dtype, exact_dtype(self.dtype)
        patches = _patches(images.astype(dtype), self.patch)
        x = Linear(self.width, bias=True, name="patches")(patches).astype(exact)
        position = parameter(self, "position", nn.initializers.zeros_init(), x.shape[1:])
        x = x + position.astype(exact)
        for index in range(self.depth):
            for part, layer in (
                ("attention", _Attention(self.heads, name=f"block{index}_attention")),
                ("perceptron", _Perceptron(self.expansion, name=f"block{index}_perceptron")),
            ):
                norm = LayerNorm(EPSILON, name=f"block{index}_{part}_norm")
                x = x + layer(norm(x).astype(dtype))
        x = LayerNorm(EPSILON, name="head_norm")(x).astype(dtype)
        x = Linear(self.width, name="head_linear")(x.reshape(len(x), -1))
        x = BatchNorm(HEAD_EPSILON, name="head_linear_norm")(x)
        x = Linear(self.embedding_size, name="embedding_linear")(x)
        return BatchNorm(HEAD_EPSILON, name="embedding_norm")(x)


def _patches(x: Float[Array, "b h w c"], side: int) -> Float[Array, "b patches values"]:
    """Row by row, the values of each as in a convolution's kernel."""
    batch, height, width, channels = x.shape
    rows, columns = height // side, width // side
    x = x[:, : rows * side, : columns * side]
    x = x.reshape(batch, rows, side, columns, side, channels).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(batch, rows * columns, side * side * channels)


class _Attention(nn.Module):
    """Every patch becomes means of all, by their likeness."""

    heads: int

    @nn.compact
    def __call__(self, x: Float[Array, "batch patches c"]) -> Float[Array, "batch patches c"]:
        batch, patches, channels = x.shape
        own = channels // self.heads
        qkv = Linear(3 * channels, name="qkv")(x).reshape(batch, patches, 3, self.heads, own)
        q, k, v = jnp.moveaxis(qkv, 2, 0)
        exact = exact_dtype(x.dtype)
        products = jnp.einsum("bqhc,bkhc->bhqk", q, k, preferred_element_type=exact)
        weights = jax.nn.softmax(products * own**-0.5, axis=-1).astype(x.dtype)
        mixed = jnp.einsum("bhqk,bkhc->bqhc", weights, v)
        return Linear(channels, bias=True, name="project")(mixed.reshape(x.shape))


class _Perceptron(nn.Module):
    expansion: int

    @nn.compact
    def __call__(self, x):
        y = nn.relu6(Linear(self.expansion * x.shape[-1], bias=True, name="expand")(x))
        return Linear(x.shape[-1], bias=True, name="project")(y)
