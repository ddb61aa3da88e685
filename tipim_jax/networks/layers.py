"""Layers shared by the architectures: inference only, NHWC, parameters in float32.

Every layer computes in the dtype of its input and casts its parameters to it. Batch normalisation
is one multiplication and one addition per channel, which XLA fuses into the pass that reads the
convolution's result; nothing is gained by folding it into the weights beforehand.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from tipim_jax.networks.dense import dense_conv
from tipim_jax.networks.depthwise import depthwise_conv

_ZEROS = nn.initializers.zeros_init()
_ONES = nn.initializers.ones_init()
_KERNEL = nn.initializers.lecun_normal()


class Conv(nn.Module):
    """Dense convolution without bias; kernel (k, k, in, out).

    Attributes:
      features: output channels.
      size: side of the square kernel.
      stride: step between windows.
      padding: zeros on each side.
    """

    features: int
    size: int
    stride: int = 1
    padding: int = 0

    @nn.compact
    def __call__(self, x: Float[Array, "batch h w c"]) -> Float[Array, "batch rows columns f"]:
        shape = (self.size, self.size, x.shape[-1], self.features)
        kernel = self.param("kernel", _KERNEL, shape).astype(x.dtype)
        if x.shape[1:3] == (1, 1) and self.size == 2 * self.padding + 1:
            return x @ kernel[self.padding, self.padding]  # the other taps see zeros alone
        return dense_conv(x, kernel, self.stride, self.padding)


class Linear(nn.Module):
    """Matrix product over the last axis, so also a 1x1 convolution; kernel (in, out)."""

    features: int

    @nn.compact
    def __call__(self, x: Float[Array, "*batch c"]) -> Float[Array, "*batch f"]:
        kernel = self.param("kernel", _KERNEL, (x.shape[-1], self.features))
        return x @ kernel.astype(x.dtype)


class Depthwise(nn.Module):
    """One k x k kernel per channel; kernel (k, k, channels)."""

    size: int
    stride: int = 1
    padding: int = 0

    @nn.compact
    def __call__(self, x: Float[Array, "batch h w c"]) -> Float[Array, "batch rows columns c"]:
        kernel = self.param("kernel", _KERNEL, (self.size, self.size, x.shape[-1]))
        kernel = kernel.astype(x.dtype)
        if x.shape[1:3] == (self.size, self.size) and self.padding == 0:
            return jnp.einsum("bijc,ijc->bc", x, kernel)[:, None, None, :]
        return depthwise_conv(x, kernel, self.stride, self.padding)


class BatchNorm(nn.Module):
    """Batch normalisation with the statistics of training.

    Attributes:
      epsilon: added to the variance, as in the network that the weights come from.
    """

    epsilon: float

    @nn.compact
    def __call__(self, x: Float[Array, "*batch c"]) -> Float[Array, "*batch c"]:
        shape = x.shape[-1:]
        scale = self.param("scale", _ONES, shape)
        bias = self.param("bias", _ZEROS, shape)
        mean = self.variable("batch_stats", "mean", jnp.zeros, shape).value
        var = self.variable("batch_stats", "var", jnp.ones, shape).value
        gain = scale * jax.lax.rsqrt(var + self.epsilon)
        return x * gain.astype(x.dtype) + (bias - mean * gain).astype(x.dtype)


class Affine(nn.Module):
    """A learnt multiplication and addition per channel."""

    @nn.compact
    def __call__(self, x: Float[Array, "*batch c"]) -> Float[Array, "*batch c"]:
        scale = self.param("scale", _ONES, x.shape[-1:])
        bias = self.param("bias", _ZEROS, x.shape[-1:])
        return x * scale.astype(x.dtype) + bias.astype(x.dtype)


class PRelu(nn.Module):
    """max(x, 0) + slope * min(x, 0), one slope per channel."""

    @nn.compact
    def __call__(self, x: Float[Array, "*batch c"]) -> Float[Array, "*batch c"]:
        slope = self.param("slope", _ZEROS, x.shape[-1:])
        return jnp.where(x > 0, x, x * slope.astype(x.dtype))
