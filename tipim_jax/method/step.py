"""The step of TIP-IM (paper, eq. 5; official run.py), its direction an optax transformation.

Images, gradients and masks are float [height, width, 3] in pixel levels.
"""

import math
from collections.abc import Callable

import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from tipim_jax.method.problem import Image, Problem, State

Weight = Float[Array, "height width 1"]


def step(
    problem: Problem,
    state: State,
    gradient: Image,
    *,
    update: Callable[[Weight, Float[Array, ""]], optax.GradientTransformation],
    project: Callable[[Image, Image, Float[Array, "height width 1"]], Image],
) -> tuple[Image, optax.OptState]:
    """x^p ← Π(x^p − α · Normalize(g)), with momentum on g (eq. 5); of a grey image a grey one.

    Args:
      update: as `tip_im_update`, of the weight and α.
      project: as `projected_on_box`: Π.

    Returns:
      The new x^p, and the new momentum.
    """
    weight, numbers = problem.weight, problem.numbers
    # A third of the derivative by the level that all channels of a grey image have. What follows
    # treats channels alike.
    gradient = jnp.where(problem.grey, gradient.mean(axis=-1, keepdims=True), gradient)
    change, momentum = update(weight, numbers.step_size).update(weight * gradient, state.momentum)
    return project(state.protected + change, problem.original, numbers.epsilon * weight), momentum


def tip_im_update(
    weight: Weight,
    step_size: Float[Array, ""] | float,
    *,
    momentum: float,
    direction: Callable[[Image, Weight], Image],
) -> optax.GradientTransformation:
    """g ← μ·g + ∇ / mean|∇|; the update is −α · direction(g).

    Args:
      weight: of the budget that each pixel may change by.
      step_size: α.
      momentum: μ.
    """
    return optax.chain(
        optax.stateless_with_tree_map(lambda g, _: mean_absolute_normalised(g)),
        optax.trace(decay=momentum),
        optax.stateless_with_tree_map(lambda g, _: direction(g, weight)),
        optax.scale(-step_size),
    )


def mean_absolute_normalised(g: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """g divided by the mean of its absolute values; zero stays zero."""
    return g / jnp.maximum(jnp.mean(jnp.abs(g)), jnp.finfo(g.dtype).tiny)


def as_it_is(g: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """g."""
    return g


def sign_direction(g: Image, weight: Weight) -> Image:
    """sign(g), steepest for ‖·‖∞."""
    return jnp.sign(g)


def rms_direction(g: Image, weight: Weight) -> Image:
    """g / ‖g‖₂, steepest for ‖·‖₂, its root mean square 1 over the pixels that may change.

    Zero stays zero.
    """
    norm = jnp.maximum(jnp.linalg.norm(g.ravel()), jnp.finfo(g.dtype).tiny)
    return g / norm * (math.sqrt(g.size) * jnp.sqrt(jnp.mean(weight)))


def projected_on_box(
    moved: Image, original: Image, budget: Float[Array, "height width 1"]
) -> Image:
    """The nearest image to `moved` in [0, 255] that differs from x^r by at most the budget."""
    return optax.projections.projection_box(moved, *_box(original, budget))


def projected_on_colours(
    moved: Image, original: Image, budget: Float[Array, "height width 1"], *, most: float
) -> Image:
    """As `projected_on_box`, with a pixel's channels changed almost alike.

    Args:
      most: the channels of a pixel change by what lies within so much of one value: the middle of
        their changes in `moved`, (least + greatest) / 2. Where one of them meets its limit, at 0 or
        255 say, the value is the nearest to that middle from which it is not too far away.
    """
    lowest, highest = (limit - original for limit in _box(original, budget))
    change = moved - original
    middle = (change.min(axis=-1, keepdims=True) + change.max(axis=-1, keepdims=True)) / 2
    middle = jnp.clip(
        middle,
        lowest.max(axis=-1, keepdims=True) - most,
        highest.min(axis=-1, keepdims=True) + most,
    )
    change = jnp.clip(change, middle - most, middle + most)
    return projected_on_box(original + change, original, budget)


def _box(original, budget):
    return jnp.maximum(original - budget, 0), jnp.minimum(original + budget, 255)
