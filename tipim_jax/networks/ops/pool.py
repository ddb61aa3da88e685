"""Maximum pooling whose gradient is a sum of shifted maps; XLA's scatters, slowly on a CPU."""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from tipim_jax.networks.ops.sliding import SlidingWindows


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def max_pool(
    x: Float[Array, "batch height width channels"], windows: SlidingWindows
) -> Float[Array, "batch rows columns channels"]:
    """The greatest value in every window; of equals, the first has the gradient.

    Args:
      x: feature maps.
      windows: what they cover; padding never is the greatest.
    """
    return _forward(x, windows)[0]


def _forward(x, windows):
    (_, _, greatest), *others = windows.taps(x, outside=-jnp.inf)
    where = jnp.zeros(greatest.shape, jnp.int32)
    for i, j, seen in others:
        where = jnp.where(seen > greatest, windows.index(i, j), where)
        greatest = jnp.maximum(seen, greatest)
    return greatest, (where, jnp.zeros((0, *x.shape[1:3]), x.dtype))


def _backward(windows, residuals, cotangent):
    where, size = residuals

    def contribution(i, j, seen, where):
        return jnp.where(where == windows.index(i, j), seen, 0)

    return (windows.gather((cotangent, where), size.shape[1:], contribution),)


max_pool.defvjp(_forward, _backward)
