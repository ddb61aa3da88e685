"""Layers shared by the architectures: inference only, NHWC, parameters in float32.

Layers compute in the dtype of their input and cast their parameters to it. Batch normalisation
is one multiplication and one addition per channel, which XLA fuses into the pass that reads the
convolution's result; nothing is gained by folding it into the weights beforehand.
"""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from tipim_jax.networks.ops.dense import dense_conv
from tipim_jax.networks.ops.depthwise import depthwise_conv
from tipim_jax.networks.ops.sums import channel_mean, vector_product

_ZEROS = nn.initializers.zeros_init()
_ONES = nn.initializers.ones_init()
_KERNEL = nn.initializers.lecun_normal()


def parameter(
    module: nn.Module, name: str, initialise: nn.initializers.Initializer, shape: tuple[int, ...]
) -> Array:
    """`module.param`, which with weights at hand traces how they would be made, for their shape.

    That is half of the time that it takes to trace a network.

    Raises:
      ValueError: the module's variables have no such parameter, or of another shape.
    """
    if module.is_initializing():
        return module.param(name, initialise, shape)
    value = module.get_variable("params", name)
    if value is None or value.shape != shape:
        there = "none" if value is None else f"one of {value.shape}"
        raise ValueError(
            f"{'/'.join((*module.path, name))} has the shape {shape}, there is {there}"
        )
    return value


class Conv(nn.Module):
    """Dense convolution; kernel (rows, columns, in, out).

    Attributes:
      features: Number of output channels.
      size: Side of the kernel, or (rows, columns).
      stride: Step between windows, in both directions.
      padding: Number of zeros on each side, or (above and below, left and right).
      bias: Whether a learnt number is added to each channel.
    """

    features: int
    size: int | tuple[int, int]
    stride: int = 1
    padding: int | tuple[int, int] = 0
    bias: bool = False

    @nn.compact
    def __call__(self, x: Float[Array, "batch h w c"]) -> Float[Array, "batch rows columns f"]:
        rows, columns = _pair(self.size)
        shape = (rows, columns, x.shape[-1], self.features)
        kernel = parameter(self, "kernel", _KERNEL, shape).astype(x.dtype)
        above, left = _pair(self.padding)
        if x.shape[1:3] == (1, 1) and (rows, columns) == (2 * above + 1, 2 * left + 1):
            x = x @ kernel[above, left]  # the other taps see zeros alone
        else:
            x = dense_conv(x, kernel, self.stride, self.padding)
        return _plus_bias(self, x) if self.bias else x


class Linear(nn.Module):
    """Matrix product over the last axis, so also a 1x1 convolution; kernel (in, out).

    Attributes:
      features: Number of outputs.
      bias: Whether a learnt number is added to each.
      few: Whether there are few rows and outputs, as in squeeze and excitation.
    """

    features: int
    bias: bool = False
    few: bool = False

    @nn.compact
    def __call__(self, x: Float[Array, "*batch c"]) -> Float[Array, "*batch f"]:
        kernel = parameter(self, "kernel", _KERNEL, (x.shape[-1], self.features))
        kernel = kernel.astype(x.dtype)
        x = vector_product(x, kernel) if self.few else x @ kernel
        return _plus_bias(self, x) if self.bias else x


def _plus_bias(module, x):
    return x + parameter(module, "bias", _ZEROS, x.shape[-1:]).astype(x.dtype)


def _pair(value):
    return value if isinstance(value, tuple) else (value, value)


class Depthwise(nn.Module):
    """One k x k kernel per channel; kernel (k, k, channels).

    Attributes:
      size, stride, padding, bias: The same as in `Conv`.
    """

    size: int
    stride: int = 1
    padding: int = 0
    bias: bool = False

    @nn.compact
    def __call__(self, x: Float[Array, "batch h w c"]) -> Float[Array, "batch rows columns c"]:
        kernel = parameter(self, "kernel", _KERNEL, (self.size, self.size, x.shape[-1]))
        kernel = kernel.astype(x.dtype)
        if x.shape[1:3] == (self.size, self.size) and self.padding == 0:
            exact = exact_dtype(x.dtype)  # sums of products in one pass
            products = x.astype(exact) * kernel.astype(exact)
            x = products.sum(axis=(1, 2), keepdims=True).astype(x.dtype)
        else:
            # Taps that see zeros alone, at each edge of the kernel.
            idle = max(self.size - self.padding - max(x.shape[1:3]), 0) if self.stride == 1 else 0
            kernel = kernel[idle : self.size - idle, idle : self.size - idle]
            x = depthwise_conv(x, kernel, self.stride, self.padding - idle)
        return _plus_bias(self, x) if self.bias else x


class BatchNorm(nn.Module):
    """Batch normalisation with the statistics of training.

    Attributes:
      epsilon: What is added to the variance, as in the network that the weights come from.
    """

    epsilon: float

    @nn.compact
    def __call__(self, x: Float[Array, "*batch c"]) -> Float[Array, "*batch c"]:
        shape = x.shape[-1:]
        scale = parameter(self, "scale", _ONES, shape)
        bias = parameter(self, "bias", _ZEROS, shape)
        mean = self.variable("batch_stats", "mean", jnp.zeros, shape).value
        var = self.variable("batch_stats", "var", jnp.ones, shape).value
        gain = scale * jax.lax.rsqrt(var + self.epsilon)
        # At least in float32, fused into one pass anyway: in bfloat16 the rounding of the two
        # factors alone moves cosines by up to 0.011 (nn4-small2).
        exact = jnp.promote_types(x.dtype, jnp.float32)
        shifted = x.astype(exact) * gain.astype(exact) + (bias - mean * gain).astype(exact)
        return shifted.astype(x.dtype)


class Affine(nn.Module):
    """A learnt multiplication and addition per channel."""

    @nn.compact
    def __call__(self, x: Float[Array, "*batch c"]) -> Float[Array, "*batch c"]:
        scale = parameter(self, "scale", _ONES, x.shape[-1:])
        bias = parameter(self, "bias", _ZEROS, x.shape[-1:])
        return x * scale.astype(x.dtype) + bias.astype(x.dtype)


class PRelu(nn.Module):
    """max(x, 0) + slope * min(x, 0), one slope per channel."""

    @nn.compact
    def __call__(self, x: Float[Array, "*batch c"]) -> Float[Array, "*batch c"]:
        slope = parameter(self, "slope", _ZEROS, x.shape[-1:])
        return jnp.where(x > 0, x, x * slope.astype(x.dtype))


class LayerNorm(nn.Module):
    """The last axis to mean 0 and variance 1, then a gain and a bias per channel.

    Attributes:
      epsilon: What is added to the variance, as in the network that the weights come from.
    """

    epsilon: float

    @nn.compact
    def __call__(self, x: Float[Array, "*batch c"]) -> Float[Array, "*batch c"]:
        exact = exact_dtype(x.dtype)
        scale = parameter(self, "scale", _ONES, x.shape[-1:]).astype(exact)
        bias = parameter(self, "bias", _ZEROS, x.shape[-1:]).astype(exact)
        return (_standardised(x.astype(exact), self.epsilon) * scale + bias).astype(x.dtype)


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def _standardised(x, epsilon):
    return _standardise(x, epsilon)[0]


def _standardise(x, epsilon):
    centred = x - channel_mean(x)
    inverse = jax.lax.rsqrt(channel_mean(jnp.square(centred)) + epsilon)
    standardised = centred * inverse
    return standardised, (standardised, inverse)


def _standardised_backward(epsilon, residuals, cotangent):
    """By hand, for its two sums to be those of `channel_mean` too."""
    standardised, inverse = residuals
    along = channel_mean(cotangent * standardised)
    return (inverse * (cotangent - channel_mean(cotangent) - standardised * along),)


_standardised.defvjp(_standardise, _standardised_backward)


def exact_dtype(dtype) -> jnp.dtype:
    """What sums over many values are computed in: at least float32."""
    return jnp.promote_types(dtype, jnp.float32)
