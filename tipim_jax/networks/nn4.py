"""nn4.small2, OpenFace's smaller form of FaceNet's NN4 (Schroff et al. 2015, arXiv 1503.03832).

`models/openface/nn4.small2.def.lua` in cmusatyalab/openface, whose weights people have in the
layout of Keras. Some Keras ports leave out the normalisation across channels and pool averages
where OpenFace pools root sums of squares, for which the weights were trained; this is OpenFace's.
Only the normalisation of the embedding to length one is left out.
"""

from typing import Literal

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from tipim_jax.networks.layers import BatchNorm, Conv, Linear
from tipim_jax.networks.ops.pool import max_pool
from tipim_jax.networks.ops.sliding import SlidingWindows

_EPSILON = 1e-5  # Torch's default


class NN4Small2(nn.Module):
    """Embeds 96x96 faces with values in [0, 1].

    Attributes:
      embedding_size: length of an embedding.
      dtype: what the network computes in.
    """

    embedding_size: int = 128
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: Float[Array, "b 96 96 3"]) -> Float[Array, "b dim"]:
        x = images.astype(self.dtype)
        x = _Unit(64, 7, stride=2, name="conv1")(x)
        x = max_pool(x, SlidingWindows(3, stride=2, padding=1))
        x = _normalised_across_channels(x)
        x = _Unit(64, 1, name="conv2")(x)
        x = _Unit(192, 3, name="conv3")(x)
        x = _normalised_across_channels(x)
        x = max_pool(x, SlidingWindows(3, stride=2, padding=1))
        x = _Inception((96, 128), (16, 32), "max", 32, 64, name="inception_3a")(x)
        x = _Inception((96, 128), (32, 64), "root", 64, 64, name="inception_3b")(x)
        x = _Inception((128, 256), (32, 64), "max", stride=2, name="inception_3c")(x)
        x = _Inception((96, 192), (32, 64), "root", 128, 256, name="inception_4a")(x)
        x = _Inception((160, 256), (64, 128), "max", stride=2, name="inception_4e")(x)
        x = _Inception((96, 384), None, "root", 96, 256, name="inception_5a")(x)
        x = _Inception((96, 384), None, "max", 96, 256, name="inception_5b")(x)
        return Linear(self.embedding_size, bias=True, name="linear")(x.mean(axis=(1, 2)))


class _Unit(nn.Module):
    """A convolution, batch normalisation and a ReLU."""

    features: int
    size: int
    stride: int = 1

    @nn.compact
    def __call__(self, x):
        if self.size == 1:
            x = Linear(self.features, bias=True, name="conv")(x)
        else:
            padding = self.size // 2
            x = Conv(self.features, self.size, self.stride, padding, bias=True, name="conv")(x)
        return nn.relu(BatchNorm(_EPSILON, name="norm")(x))


class _Inception(nn.Module):
    """Branches side by side, in the order of their attributes.

    Attributes:
      reduced_3x3, reduced_5x5: features of a 1x1 convolution and the 3x3 or 5x5 one behind it;
        None: no such branch.
      pooling: of the branch whose map is smaller than the others and stands amid zeros.
      pooled: features of the 1x1 convolution behind the pooling; None: there is none.
      single: features of a 1x1 convolution alone; None: no such branch.
      stride: of the larger convolutions.
    """

    reduced_3x3: tuple[int, int]
    reduced_5x5: tuple[int, int] | None
    pooling: Literal["max", "root"]
    pooled: int | None = None
    single: int | None = None
    stride: int = 1

    @nn.compact
    def __call__(self, x):
        outputs = []
        for size, features in ((3, self.reduced_3x3), (5, self.reduced_5x5)):
            if features is not None:
                seen = _Unit(features[0], 1, name=f"reduce_{size}x{size}")(x)
                name = f"conv_{size}x{size}"
                outputs.append(_Unit(features[1], size, self.stride, name=name)(seen))
        if self.pooling == "max":
            seen = max_pool(x, SlidingWindows(3, stride=2, padding=0))
        else:
            seen = _root_sum_of_squares(x)
        if self.pooled is not None:
            seen = _Unit(self.pooled, 1, name="conv_pool")(seen)
        outputs.append(_amid_zeros(seen, outputs[0].shape[1:3]))
        if self.single is not None:
            outputs.append(_Unit(self.single, 1, name="conv_1x1")(x))
        return jnp.concatenate(outputs, axis=-1)


def _root_sum_of_squares(x):
    """Over blocks of 3x3 pixels; where all are zero, so is the gradient."""
    batch, height, width, channels = x.shape
    blocks = x.reshape(batch, height // 3, 3, width // 3, 3, channels)
    squares = jnp.square(blocks).sum(axis=(2, 4))
    return jnp.where(squares > 0, jnp.sqrt(jnp.where(squares > 0, squares, 1)), 0)


def _amid_zeros(x, size):
    """Extends maps to a size; the odd row and column go to the bottom and the right."""
    missing = [wanted - have for wanted, have in zip(size, x.shape[1:3], strict=True)]
    edges = [(count // 2, count - count // 2) for count in missing]
    return jnp.pad(x, ((0, 0), *edges, (0, 0)))


def _normalised_across_channels(x):
    """x / (1 + 1e-4 * m)^0.75; m: mean square of five neighbouring channels, zeros beyond."""
    channels = np.arange(x.shape[-1])
    near = abs(channels[:, None] - channels) <= 2
    # A sum over few channels is slow on a CPU, a matrix product is not.
    mean_square = jnp.square(x) @ jnp.asarray(near / 5, x.dtype)
    return x * (1 + 1e-4 * mean_square) ** -0.75
