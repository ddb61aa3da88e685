"""Inception-ResNet-v1 (Szegedy et al. 2016, arXiv 1602.07261) as davidsandberg/facenet builds it.

`models/inception_resnet_v1.py` there, and in timesler/facenet-pytorch, which ported it. Differences
from the paper: the changes of a block are scaled down before they are added, a sixth block of the
last kind is neither scaled nor followed by a ReLU, and a linear layer with batch normalisation
gives the embedding. Both normalise it to length one at the end, which is left out here.
"""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from tipim_jax.networks.layers import BatchNorm, Conv, Linear
from tipim_jax.networks.ops.pool import max_pool
from tipim_jax.networks.ops.sliding import SlidingWindows

_EPSILON = 1e-3

# The branches of every part; of a branch, each convolution's features and size.
_Branches = tuple[tuple[tuple[int, int | tuple[int, int]], ...], ...]
_BLOCK35: _Branches = (((32, 1),), ((32, 1), (32, 3)), ((32, 1), (32, 3), (32, 3)))
_BLOCK17: _Branches = (((128, 1),), ((128, 1), (128, (1, 7)), (128, (7, 1))))
_BLOCK8: _Branches = (((192, 1),), ((192, 1), (192, (1, 3)), (192, (3, 1))))
_MIXED_6A: _Branches = (((384, 3),), ((192, 1), (192, 3), (256, 3)))
_MIXED_7A: _Branches = (
    ((256, 1), (384, 3)),
    ((256, 1), (256, 3)),
    ((256, 1), (256, 3), (256, 3)),
)


class InceptionResNetV1(nn.Module):
    """Embeds normalised faces, 160x160 pixels in training.

    Attributes:
      embedding_size: length of an embedding.
      dtype: what the network computes in.
    """

    embedding_size: int = 512
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: Float[Array, "b h w 3"]) -> Float[Array, "b dim"]:
        x = images.astype(self.dtype)
        x = _Unit(32, 3, stride=2, padded=False, name="conv_1a")(x)
        x = _Unit(32, 3, padded=False, name="conv_2a")(x)
        x = _Unit(64, 3, name="conv_2b")(x)
        x = max_pool(x, SlidingWindows(3, stride=2, padding=0))
        x = _Unit(80, 1, name="conv_3b")(x)
        x = _Unit(192, 3, padded=False, name="conv_4a")(x)
        x = _Unit(256, 3, stride=2, padded=False, name="conv_4b")(x)
        for index in range(5):
            x = nn.relu(_Block(_BLOCK35, 0.17, name=f"block35_{index}")(x))
        x = _Reduction(_MIXED_6A, name="mixed_6a")(x)
        for index in range(10):
            x = nn.relu(_Block(_BLOCK17, 0.10, name=f"block17_{index}")(x))
        x = _Reduction(_MIXED_7A, name="mixed_7a")(x)
        for index in range(5):
            x = nn.relu(_Block(_BLOCK8, 0.20, name=f"block8_{index}")(x))
        x = _Block(_BLOCK8, 1.0, name="block8_last")(x)
        x = Linear(self.embedding_size, name="linear")(x.mean(axis=(1, 2)))
        return BatchNorm(_EPSILON, name="norm")(x)


class _Unit(nn.Module):
    """A convolution, batch normalisation and a ReLU; padded, a map keeps its size at stride 1."""

    features: int
    size: int | tuple[int, int]
    stride: int = 1
    padded: bool = True

    @nn.compact
    def __call__(self, x):
        if self.size == 1:
            x = Linear(self.features, name="conv")(x)
        else:
            rows, columns = self.size if isinstance(self.size, tuple) else (self.size, self.size)
            padding = (rows // 2, columns // 2) if self.padded else 0
            x = Conv(self.features, self.size, self.stride, padding, name="conv")(x)
        return nn.relu(BatchNorm(_EPSILON, name="norm")(x))


class _Block(nn.Module):
    """x plus what its branches give together, projected to the channels of x, times `scale`."""

    branches: _Branches
    scale: float

    @nn.compact
    def __call__(self, x):
        outputs = []
        for number, steps in enumerate(self.branches):
            seen = x
            for index, (features, size) in enumerate(steps):
                seen = _Unit(features, size, name=f"branch{number}_{index}")(seen)
            outputs.append(seen)
        change = Linear(x.shape[-1], bias=True, name="project")(jnp.concatenate(outputs, axis=-1))
        return x + self.scale * change


class _Reduction(nn.Module):
    """Branches whose last convolutions are at stride 2, beside a maximum pooling."""

    branches: _Branches

    @nn.compact
    def __call__(self, x):
        outputs = []
        for number, (*steps, (last_features, last_size)) in enumerate(self.branches):
            seen = x
            for index, (features, size) in enumerate(steps):
                seen = _Unit(features, size, name=f"branch{number}_{index}")(seen)
            name = f"branch{number}_{len(steps)}"
            outputs.append(_Unit(last_features, last_size, 2, padded=False, name=name)(seen))
        outputs.append(max_pool(x, SlidingWindows(3, stride=2, padding=0)))
        return jnp.concatenate(outputs, axis=-1)
