"""The installed jaxlib computes what this product is made of."""

import jax
import jax.numpy as jnp
import numpy as np


def test_jitted_vmapped_reductions_are_right():
    """jaxlib 0.10.2 gets the last rows of large ones wrong on CPU (jax-ml/jax#39103)."""
    rows = np.zeros((40_000, 3), np.float32)
    rows[:, 0] = np.arange(len(rows)) % 1000

    @jax.jit
    @jax.vmap
    def squared_length(row):
        return jnp.sum((jnp.eye(3) @ row) ** 2)

    np.testing.assert_array_equal(squared_length(rows), rows[:, 0] ** 2)
