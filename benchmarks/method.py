"""The method as a benchmark runs it: iterations in any number, one after the other."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from tipim_jax.method import Layout, Surrogate, TipIm, advance, start


def prepared(
    surrogates: Sequence[Surrogate],
    images: Float[Array, "batch height width 3"],
    targets: Float[Array, "targets height width 3"],
    settings: TipIm,
    layout: Layout,
) -> Callable[[int], None]:
    """A function that does so many more iterations and waits for them."""
    keys = jax.vmap(jax.random.key)(jnp.arange(len(images)))
    surrogates = layout.replicate(tuple(surrogates))  # once, not in every call
    problem, state = start(surrogates, images, targets, keys, settings, layout=layout)
    jax.block_until_ready(state)

    def iterations(count: int) -> None:
        nonlocal state
        state, _ = advance(surrogates, problem, state, settings, count, layout=layout)
        jax.block_until_ready(state)

    return iterations
