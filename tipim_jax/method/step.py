"""The step of TIP-IM (paper, eq. 5; official run.py), its direction an optax transformation.

Images, gradients and masks are float [height, width, 3] in pixel levels.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from tipim_jax.method.budget import SSIM_DEVIATION
from tipim_jax.method.problem import Image, Problem, State

# Of what a change costs that varies from pixel to pixel, what one costs that is the same in all of
# SSIM's window: of brightness, where at 0 masks would be patches alone, and of colour, whose grain
# the eye hardly sees.
_PATCHES, _TINTS = 1 / 3, 4


def step(
    problem: Problem,
    state: State,
    gradient: Image,
    *,
    update: Callable[[Problem], optax.GradientTransformation],
    project: Callable[[Image, Problem], Image],
) -> tuple[Image, optax.OptState]:
    """x^p ← Π(x^p − α · Normalize(g)), with momentum on g (eq. 5); of a grey image a grey one.

    Args:
      update: as `tip_im_update`.
      project: as `within_levels`: Π.

    Returns:
      The new x^p, and the new momentum.
    """
    # A third of the derivative by the level that all channels of a grey image have. What follows
    # treats channels alike.
    gradient = jnp.where(problem.grey, gradient.mean(axis=-1, keepdims=True), gradient)
    change, momentum = update(problem).update(problem.weight * gradient, state.momentum)
    return project(state.protected + change, problem), momentum


def tip_im_update(
    problem: Problem, *, momentum: float, direction: Callable[[Image, Problem], Image]
) -> optax.GradientTransformation:
    """g ← μ·g + ∇ / mean|∇|; the update is −α · direction(g).

    Args:
      problem: whose weight, cost and α count.
      momentum: μ.
    """
    return optax.chain(
        optax.stateless_with_tree_map(lambda g, _: mean_absolute_normalised(g)),
        optax.trace(decay=momentum),
        optax.stateless_with_tree_map(lambda g, _: direction(g, problem)),
        optax.scale(-problem.numbers.step_size),
    )


def mean_absolute_normalised(g: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """g divided by the mean of its absolute values; zero stays zero."""
    return g / jnp.maximum(jnp.mean(jnp.abs(g)), jnp.finfo(g.dtype).tiny)


def as_it_is(g: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """g."""
    return g


def sign_direction(g: Image, problem: Problem) -> Image:
    """sign(g), steepest for ‖·‖∞."""
    return jnp.sign(g)


def rms_direction(g: Image, problem: Problem) -> Image:
    """g / ‖g‖₂, steepest for ‖·‖₂, its root mean square 1 over the pixels that may change.

    Zero stays zero.
    """
    norm = jnp.maximum(jnp.linalg.norm(g.ravel()), jnp.finfo(g.dtype).tiny)
    return g / norm * (math.sqrt(g.size) * jnp.sqrt(jnp.mean(problem.weight)))


def unseen_direction(g: Image, problem: Problem) -> Image:
    """Steepest for what is `seen` of it: of all changes that cost 1 the one that gains most.

    But where the mask fades, for there it is fainter. Zero stays zero.
    """
    scale = problem.weight * jax.lax.rsqrt(problem.cost)  # no quotient, as in `normalise`
    grey, colour = _spectra(scale * g)
    of_grey, of_colour = _prices(g.shape, problem)
    change = scale * jnp.fft.irfft2(grey / of_grey + colour / of_colour, g.shape[:2], axes=(0, 1))
    return change / jnp.sqrt(jnp.maximum(seen(change, problem), jnp.finfo(g.dtype).tiny))


def seen(change: Image, problem: Problem) -> Float[Array, ""]:
    """What a change costs: DSSIM in the face's box as a quadratic form, and more for patches.

    Of DSSIM what varies within SSIM's window counts, by `Problem.cost`; of the rest, which it
    hardly sees and people do, `_PATCHES`. Colour, the difference of the channels, costs
    `Numbers.colour_cost` times as much, and `_TINTS` times that where it varies little.
    """
    grey, colour = _spectra(jnp.sqrt(problem.cost) * change)
    of_grey, of_colour = _prices(change.shape, problem)
    power = of_grey * jnp.abs(grey) ** 2 + of_colour * jnp.abs(colour) ** 2
    height, width = change.shape[:2]
    # Of a real change's spectrum half is there: all columns stand for two but the first and, of an
    # even number, the last.
    twice = jnp.where(jnp.arange(width // 2 + 1) % ((width + 1) // 2) == 0, 1, 2)
    return jnp.sum(power * twice[:, None]) / (height * width) / change.shape[2]


def _spectra(change):
    """Of the mean of the channels, which all of them have, and of what they differ from it by."""
    spectrum = jnp.fft.rfft2(change, axes=(0, 1))
    grey = spectrum.mean(axis=-1, keepdims=True)
    return grey, spectrum - grey


def _prices(shape, problem):
    """What a wave of each frequency costs, of brightness and of colour; the finest grain 1 of both.

    Of colour `Numbers.colour_cost` times as much.
    """
    rows, columns = jnp.fft.fftfreq(shape[0])[:, None], jnp.fft.rfftfreq(shape[1])[None]
    long = jnp.exp(-4 * (jnp.pi * SSIM_DEVIATION) ** 2 * (rows**2 + columns**2))[..., None]
    of_grey, of_colour = (1 - (1 - price) * long for price in (_PATCHES, _TINTS))
    return of_grey, problem.numbers.colour_cost * of_colour


def within_levels(moved: Image, problem: Problem, *, most: float) -> Image:
    """The nearest image whose pixels differ from x^r by their share of ε at most.

    Args:
      most: see `projected_on_colours`; 255 for no such limit.
    """
    budget = problem.numbers.epsilon * problem.weight
    if most < 255:
        return projected_on_colours(moved, problem.original, budget, most=most)
    return projected_on_box(moved, problem.original, budget)


def within_dssim(moved: Image, problem: Problem, *, most: float) -> Image:
    """As `within_levels`, and of its change as much as costs the budget of DSSIM."""
    change = within_levels(moved, problem, most=most) - problem.original
    tiny = jnp.finfo(change.dtype).tiny
    share = jnp.sqrt(problem.numbers.dssim / jnp.maximum(seen(change, problem), tiny))
    return problem.original + jnp.minimum(share, 1) * change


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
