"""Sums over many values along one axis of a map, and products that are hardly more than these.

XLA for CPU adds along an axis one value after the other; as products with ones such sums are
vectorised. An accelerator adds as it reads what it needs for something else, and would call a
library for the product.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from tipim_jax.networks.ops.platform import on_cpu


def channel_mean(x: Float[Array, "*batch c"]) -> Float[Array, "*batch 1"]:
    """Mean over the last axis, in the dtype of x."""
    if not on_cpu():
        return x.mean(axis=-1, keepdims=True)
    ones = jnp.full((x.shape[-1], 1), 1 / x.shape[-1], x.dtype)
    return jnp.matmul(x, ones, precision="highest")


def pixel_sum(x: Float[Array, "batch pixels heads c"]) -> Float[Array, "batch heads c"]:
    """Sum over the second axis, in the dtype of x."""
    if not on_cpu():
        return x.sum(axis=1)
    ones = jnp.ones(x.shape[1], x.dtype)
    return jnp.einsum("bnhc,n->bhc", x, ones, precision="highest")


def vector_product(
    x: Float[Array, "*batch c"], kernel: Float[Array, "c f"]
) -> Float[Array, "*batch f"]:
    """Matrix product with few rows, one vector an image say, in the dtype of x.

    For each shape and each of its gradients XLA for GPUs writes a program of its own in dozens of
    ways, tries them all and takes the fastest: squeeze and excitation would pay in compilation for
    products that are next to nothing.
    """
    if on_cpu():
        return x @ kernel
    exact = jnp.promote_types(x.dtype, jnp.float32)
    products = x.astype(exact)[..., None] * kernel.astype(exact)
    return products.sum(axis=-2).astype(x.dtype)
