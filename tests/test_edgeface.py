"""EdgeFace where its weights leave nothing of a channel, as the published ones do."""

import jax
import jax.numpy as jnp
import numpy as np

from tipim_jax.networks.edgeface import _ChannelAttention


def test_a_channel_without_queries_and_keys_has_a_gradient():
    attention = _ChannelAttention()
    maps = jnp.asarray(np.random.default_rng(0).normal(size=(1, 4, 4, 16)), jnp.float32)
    variables = attention.init(jax.random.key(0), maps)
    # Of the first channel neither a query nor a key is left.
    without = jax.tree.map(
        lambda leaf: leaf.at[..., jnp.array([0, 16])].set(0) if leaf.shape[-1] == 48 else leaf,
        variables,
    )

    def total(maps, variables):
        return jnp.sum(attention.apply(variables, maps) ** 2)

    gradient = jax.grad(total)(maps, without)
    assert jnp.isfinite(gradient).all() and jnp.any(gradient != 0)
