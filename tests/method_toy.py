"""A network for the method whose every number can be checked, and what is shown to it."""

import jax
import jax.numpy as jnp
import numpy as np

from tipim_jax.method import Surrogate

SIZE = 12


def small_network(variables, images):
    return jnp.tanh(jnp.einsum("bhwc,hwcd->bd", images / 127.5 - 1, variables))


def surrogate(seed=0, dim=16, size=SIZE):
    weights = np.random.default_rng(seed).normal(size=(size, size, 3, dim)) / size
    return Surrogate(small_network, weights.astype(np.float32))


def crops(count, seed=1, size=SIZE):
    noise = np.random.default_rng(seed).uniform(0, 255, (count, size, size, 3))
    return noise.astype(np.float32)


def image_keys(*seeds):
    return jnp.stack([jax.random.key(seed) for seed in seeds])
