"""The runs of the official loop that the golden files hold and the parity tests repeat."""

import jax
import jax.numpy as jnp
import numpy as np

from tipim_jax.method import Surrogate, TipIm, advance, start

ITERATIONS = 10
PLANNED = 100  # the official T, which sets the step size 1.5 ε / T
# γ = 0.0007 and 0.007 are the reproduction's.
CASES = [("l2", 0.0), ("l2", 0.0007), ("linf", 0.0), ("linf", 0.007)]


def official_run(surrogate: Surrogate, crops, targets, norm: str, gamma: float):
    """Ours: protected crops and choices [iterations, images], views off."""
    settings = TipIm(iterations=PLANNED, norm=norm, gamma=gamma, views=0)
    keys = jax.vmap(jax.random.key)(jnp.arange(len(crops)))
    problem, state = start((surrogate,), crops, targets, keys, settings)
    state, choices = advance((surrogate,), problem, state, settings, ITERATIONS)
    return np.asarray(state.protected), np.asarray(choices.target)
