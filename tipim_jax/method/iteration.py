"""TIP-IM's iterations (paper, Alg. 1): search a target for every image, step, project.

Images are RGB float [batch, height, width, 3] in [0, 255]. Images of a batch touch each other only
in the MMD term, that is at γ > 0 with a group size above 1; all else is vmapped over images. One
iteration costs an image 1 forward pass, K vector-Jacobian products and K forward passes for K
targets.

The numbers that a sweep varies (ε, γ, learning rate) may be arrays with one value for each image,
so that images of several settings make one batch; all images of an MMD group have the same ones.
"""

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int, Key

from tipim_jax.method.identity import gain_distances, gains, identity_cotangents, normalise
from tipim_jax.method.mmd import mmd
from tipim_jax.method.settings import TipIm
from tipim_jax.method.update import tip_im_update
from tipim_jax.method.views import draw_view, unview, view

Images = Float[Array, "batch height width 3"]


@partial(jax.tree_util.register_dataclass, data_fields=["variables"], meta_fields=["embed"])
@dataclasses.dataclass(frozen=True)
class Surrogate:
    """A network that masks are made against.

    Attributes:
      embed: (variables, images in [0, 255]) -> embeddings of any length, not normalised.
      variables: the network's weights; an argument of the compiled program, never a constant in it.
    """

    embed: Callable[[Any, Images], Float[Array, "batch dim"]]
    variables: Any

    def __call__(self, images: Images) -> Float[Array, "batch dim"]:
        return normalise(self.embed(self.variables, images))


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Problem:
    """What stays the same while a batch is protected.

    Attributes:
      original: x^r.
      original_embeddings: f(x^r), one array a surrogate.
      target_embeddings: f(x^t_k) of the targets that each image may take, one array a surrogate.
      keys: a random key for each image, so that its views do not depend on the batch around it.
      valid: False for images that only pad the batch; they are left out of the MMD term.
    """

    original: Images
    original_embeddings: tuple[Float[Array, "batch dim"], ...]
    target_embeddings: tuple[Float[Array, "batch targets dim"], ...]
    keys: Key[Array, " batch"]
    valid: Bool[Array, " batch"]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class State:
    """What an iteration changes: x^p, the momentum of each image, and how many were done."""

    protected: Images
    momentum: optax.OptState
    iteration: Int[Array, ""]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Choice:
    """What an iteration decided: the target of each image and the gain G that it gave.

    The target is an index among those that the image may take: 0 where there is one alone.
    """

    target: Int[Array, " batch"]
    gain: Float[Array, " batch"]


def protect(
    surrogates: Sequence[Surrogate],
    images: Images,
    targets: Float[Array, "targets height width 3"],
    keys: Key[Array, " batch"],
    settings: TipIm,
    *,
    valid: Bool[Array, " batch"] | None = None,
) -> tuple[Images, Choice]:
    """Protects a batch of aligned face crops: all iterations as one compiled program.

    Args:
      surrogates: one or more networks; their losses and distances are averaged.
      images: x^r, RGB in [0, 255].
      targets: one image of each target identity, RGB in [0, 255].
      keys: a random key for each image.
      settings: see `TipIm`.
      valid: see `Problem`; by default every image is valid.

    Returns:
      x^p as float (not yet rounded), and the choices of every iteration (leading axis: iteration).

    Raises:
      ValueError: a setting is out of range, or the MMD groups do not fill the batch.
    """
    problem, state = start(surrogates, images, targets, keys, settings, valid=valid)
    state, choices = advance(surrogates, problem, state, settings, settings.iterations)
    return state.protected, choices


def start(
    surrogates: Sequence[Surrogate],
    images: Images,
    targets: Float[Array, "targets height width 3"],
    keys: Key[Array, " batch"],
    settings: TipIm,
    *,
    valid: Bool[Array, " batch"] | None = None,
) -> tuple[Problem, State]:
    """The state before the first iteration; arguments and errors as `protect`."""
    settings.check()
    batch, group = len(images), settings.mmd_group_size
    if batch > group and batch % group:
        raise ValueError(
            f"a batch of {batch} images does not divide into MMD groups of {group}; "
            f"choose a batch of at most {group} or a multiple of it"
        )
    if valid is None:
        valid = np.ones(batch, bool)
    return _start(tuple(surrogates), images, targets, keys, jnp.asarray(valid), settings)


@jax.jit
def _start(surrogates, images, targets, keys, valid, settings):
    problem = Problem(
        original=images,
        original_embeddings=tuple(surrogate(images) for surrogate in surrogates),
        target_embeddings=tuple(
            _targets_of_images(surrogate(targets), keys, settings) for surrogate in surrogates
        ),
        keys=keys,
        valid=valid,
    )
    momentum = jax.vmap(tip_im_update(settings).init)(images)
    return problem, State(images, momentum, jnp.zeros((), jnp.int32))


def _targets_of_images(embeddings, keys, settings):
    """What of the targets' embeddings each image may take, `batch targets dim`."""
    if settings.target_choice == "single":
        index = jax.vmap(lambda key: jax.random.randint(key, (), 0, len(embeddings)))(keys)
        return embeddings[index][:, None]
    if settings.target_choice == "mean":
        embeddings = embeddings.mean(axis=0, keepdims=True)
    return jnp.broadcast_to(embeddings, (len(keys), *embeddings.shape))


@partial(jax.jit, static_argnums=4)
def advance(
    surrogates: Sequence[Surrogate],
    problem: Problem,
    state: State,
    settings: TipIm,
    count: int,
) -> tuple[State, Choice]:
    """Does `count` iterations as one compiled program; calls add up to one long run.

    Returns:
      The new state, and the choices of each iteration (leading axis: `count`).
    """

    each = jax.tree.map(lambda number: jnp.broadcast_to(number, len(problem.keys)), settings)

    def iterate(state, _):
        keys = jax.vmap(jax.random.fold_in, (0, None))(problem.keys, state.iteration)
        naturalness = jax.lax.cond(
            jnp.any(each.gamma != 0),
            lambda: (
                each.gamma[:, None, None, None]
                * _mmd_gradient(problem, state.protected, keys, settings)
            ),
            lambda: jnp.zeros_like(state.protected),
        )
        protected, momentum, choice = jax.vmap(partial(_step, surrogates))(
            each,
            problem.target_embeddings,
            problem.original,
            problem.original_embeddings,
            state.protected,
            state.momentum,
            naturalness,
            keys,
        )
        return State(protected, momentum, state.iteration + 1), choice

    return jax.lax.scan(iterate, state, length=count)


def _step(surrogates, settings, target_embeddings, original, embeddings, image, momentum, mmd, key):
    """One iteration of one image: K candidates, the best of them, its step."""
    update = tip_im_update(settings)
    lowest = jnp.maximum(original - settings.epsilon, 0)
    highest = jnp.minimum(original + settings.epsilon, 255)

    def move(gradient):
        change, new_momentum = update.update(gradient, momentum)
        return optax.projections.projection_box(image + change, lowest, highest), new_momentum

    gradients = _identity_gradients(surrogates, target_embeddings, settings, embeddings, image, key)
    total = gradients + mmd
    candidates, momenta = jax.vmap(move)(
        total if settings.candidate_gradient == "total" else gradients
    )
    gain = _candidate_gains(surrogates, target_embeddings, settings, embeddings, candidates)
    best = jnp.argmax(gain)
    if settings.candidate_gradient == "total":
        image, momentum = jax.tree.map(lambda array: array[best], (candidates, momenta))
    else:
        image, momentum = move(total[best])
    return image, momentum, Choice(best, gain[best])


def _identity_gradients(surrogates, target_embeddings, settings, embeddings, image, key):
    """∇L_iden for every target: one forward pass and one VJP per target and surrogate."""
    matrices = draw_view(key) if settings.views else None
    seen = image if matrices is None else view(image, matrices)
    gradient = 0.0
    for surrogate, original, targets in zip(surrogates, embeddings, target_embeddings, strict=True):
        _, pull_back = jax.vjp(lambda image, surrogate=surrogate: surrogate(image[None])[0], seen)
        cotangents = identity_cotangents(original, targets, settings.distance)
        gradient += jax.vmap(pull_back)(cotangents)[0] / len(surrogates)
    return gradient if matrices is None else unview(gradient, matrices)


def _candidate_gains(surrogates, target_embeddings, settings, embeddings, candidates):
    """G of every candidate, looked at without a view (official run.py, `submodular`)."""
    to_original, to_targets = 0.0, 0.0
    for surrogate, original, targets in zip(surrogates, embeddings, target_embeddings, strict=True):
        distances = gain_distances(
            surrogate(candidates),
            jnp.concatenate([original[None], targets]),
            settings.gain_distance,
        )
        to_original += distances[:, 0] / len(surrogates)
        to_targets += distances[:, 1:] / len(surrogates)
    return gains(to_original, to_targets, settings.gain)


def _mmd_gradient(problem: Problem, protected: Images, keys, settings: TipIm) -> Images:
    """∂MMD/∂x^p, times N: eq. 4 averages L_iden over N images, and each image's sum is free."""
    batch, group = len(protected), settings.mmd_group_size
    source = jnp.arange(max(batch, group)) % batch
    copied = source[batch:]
    if copied.size:
        copy_keys = jax.vmap(jax.random.fold_in)(keys[copied], jnp.arange(copied.size) + 1)
        matrices = jax.vmap(draw_view)(copy_keys)

    def grouped(images):
        if copied.size:
            images = jnp.concatenate([images, jax.vmap(view)(images[copied], matrices)])
        return images.reshape(-1, group, images[0].size)

    weights = problem.valid[source].reshape(-1, group).astype(protected.dtype)
    averaged = problem.valid.reshape(-1, min(group, batch)).sum(-1)

    def loss(images):
        values = jax.vmap(mmd, (0, 0, 0, None))(
            grouped(images), grouped(problem.original), weights, settings.mmd_bandwidths
        )
        if settings.mmd_divided_by_group:
            values = values / jnp.maximum(weights.sum(-1), 1)
        return jnp.sum(averaged * values)

    return jax.grad(loss)(protected)
