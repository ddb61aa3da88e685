"""Sphere20, the residual network of SphereFace (Liu et al. 2017, arXiv 1704.08063, table 2).

There is no batch normalisation. `sphere` of MuggleWang/CosFace_pytorch (`net.py`) and `sphere20a`
of clcarwin/sphereface_pytorch (`net_sphere.py`) are this network; they differ in biases alone.
"""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from tipim_jax.networks.layers import Conv, Linear, PRelu

# (features, residual blocks) of the stages; each halves the map first.
STAGES = ((64, 1), (128, 2), (256, 4), (512, 1))


class SphereNet(nn.Module):
    """Embeds normalised faces of 112x96.

    Attributes:
      block_biases: whether the convolutions in the blocks have biases, as the strided ones do.
      embedding_size: length of an embedding.
      dtype: what the network computes in.
    """

    block_biases: bool
    embedding_size: int = 512
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: Float[Array, "b 112 96 3"]) -> Float[Array, "b dim"]:
        x = images.astype(self.dtype)
        for stage, (features, blocks) in enumerate(STAGES, start=1):
            x = _Unit(features, stride=2, bias=True, name=f"down{stage}")(x)
            for block in range(blocks):
                x = x + _Block(features, self.block_biases, name=f"stage{stage}_{block}")(x)
        x = x.reshape(x.shape[0], -1)
        return Linear(self.embedding_size, bias=True, name="head")(x)


class _Unit(nn.Module):
    """A convolution and a PReLU."""

    features: int
    stride: int
    bias: bool

    @nn.compact
    def __call__(self, x):
        x = Conv(self.features, 3, self.stride, padding=1, bias=self.bias, name="conv")(x)
        return PRelu(name="prelu")(x)


class _Block(nn.Module):
    features: int
    biases: bool

    @nn.compact
    def __call__(self, x):
        x = _Unit(self.features, 1, self.biases, name="first")(x)
        return _Unit(self.features, 1, self.biases, name="second")(x)
