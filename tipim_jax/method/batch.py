"""TIP-IM on whole batches: all iterations as compiled programs, over all devices.

Images are RGB float [batch, height, width, 3] in [0, 255]. Images of a batch touch each other only
in the MMD term, that is at γ > 0 with a group size above 1; all else is done to each of them alone.

The numbers that a sweep varies (ε, γ, learning rate) may be arrays with one value for each image,
so that images of several settings make one batch; all images of an MMD group have the same ones.
"""

from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key

from tipim_jax.divisors import greatest_divisor
from tipim_jax.method.iteration import Choice, Problem, State, iterate
from tipim_jax.method.layout import (
    Layout,
    gathered,
    in_pieces,
    over_devices,
    own_share,
)
from tipim_jax.method.mmd import naturalness_gradients
from tipim_jax.method.surrogate import Images, Surrogate
from tipim_jax.method.traced import TipIm
from tipim_jax.method.update import tip_im_update
from tipim_jax.method.views import CROP, aligned, inverse
from tipim_jax.method.weight import weight

_MOST_ITERATIONS_A_CALL = 5


def protect(
    surrogates: Sequence[Surrogate],
    images: Images,
    targets: Float[Array, "targets height width 3"],
    keys: Key[Array, " batch"],
    settings: TipIm,
    *,
    alignments: Float[Array, "batch 2 3"] | None = None,
    valid: Bool[Array, " batch"] | None = None,
    layout: Layout | None = None,
) -> tuple[Images, Choice]:
    """Protects a batch of faces: all iterations as one compiled program.

    Args:
      surrogates: one or more networks; their losses and distances are averaged.
      images: x^r, RGB in [0, 255]: aligned crops or, with `alignments`, photos around the faces.
      targets: one aligned crop of each target identity, RGB in [0, 255].
      keys: a random key for each image.
      settings: see `TipIm`.
      alignments: from each image's points (x, y), in pixels, to those of its aligned crop of 112 ×
        112. What lies outside the crop is not changed. None: the images are the crops.
      valid: see `Problem`; by default every image is valid.
      layout: by default the one that `Layout.choose` gives. To call `start` or `advance` often,
        choose it once and let it `replicate` the surrogates: otherwise both are done in every call.

    Returns:
      x^p as float (not yet rounded), and the choices of every iteration (leading axis: iteration).

    Raises:
      ValueError: a setting is out of range, or the MMD groups or devices do not divide the batch.
    """
    surrogates, layout = _laid_out(surrogates, len(images), targets.shape, layout)
    problem, state = start(
        surrogates,
        images,
        targets,
        keys,
        settings,
        alignments=alignments,
        valid=valid,
        layout=layout,
    )
    state, choices = advance(
        surrogates, problem, state, settings, settings.iterations, layout=layout
    )
    return state.protected, choices


def start(
    surrogates: Sequence[Surrogate],
    images: Images,
    targets: Float[Array, "targets height width 3"],
    keys: Key[Array, " batch"],
    settings: TipIm,
    *,
    alignments: Float[Array, "batch 2 3"] | None = None,
    valid: Bool[Array, " batch"] | None = None,
    layout: Layout | None = None,
) -> tuple[Problem, State]:
    """The state before the first iteration; arguments and errors as `protect`."""
    settings.check()
    batch, group = len(images), settings.mmd_group_size
    if batch > group and batch % group:
        raise ValueError(
            f"a batch of {batch} images does not divide into MMD groups of {group}; "
            f"choose a batch of at most {group} or a multiple of it"
        )
    surrogates, layout = _laid_out(surrogates, batch, targets.shape, layout)
    if batch % len(layout.devices):
        raise ValueError(
            f"a batch of {batch} images does not divide among {len(layout.devices)} devices"
        )
    valid = np.ones(batch, bool) if valid is None else valid
    return _start(surrogates, images, targets, keys, alignments, valid, settings, layout)


def _laid_out(surrogates, batch, targets, layout):
    """Who gives a layout has replicated the surrogates: to find that out takes 4 ms a call."""
    if layout is None:
        count, *crop = targets
        crops = jax.ShapeDtypeStruct((batch, *crop), jnp.float32)
        layout = Layout.choose(surrogates, crops, count)
        surrogates = layout.replicate(surrogates)
    return tuple(surrogates), layout


@partial(jax.jit, static_argnames="layout")
def _start(surrogates, images, targets, keys, alignments, valid, settings, layout):
    epsilon = jnp.broadcast_to(settings.epsilon, len(valid))

    def on_one_device(same, batches):
        surrogates, targets, settings = same
        known = [in_pieces(s.embed_one, targets, layout.targets) for s in surrogates]

        def of_image(image, key, alignment, valid, epsilon):
            towards = None if alignment is None else inverse(alignment)
            problem = Problem(
                original=image,
                weight=weight(image, alignment, epsilon, settings.smooth_epsilon),
                alignment=towards,
                original_embeddings=tuple(s.embed_one(aligned(image, towards)) for s in surrogates),
                target_embeddings=tuple(_choosable(found, key, settings) for found in known),
                key=key,
                valid=valid,
            )
            nothing = jnp.zeros((), jnp.int32)
            momentum = tip_im_update(settings).init(image)
            return problem, State(jnp.copy(image), momentum, nothing, nothing)

        return in_pieces(lambda each: of_image(*each), batches, layout.images)

    return over_devices(
        on_one_device,
        layout,
        (surrogates, targets, settings),
        (images, keys, alignments, valid, epsilon),
        (0, 0),
    )


def _choosable(embeddings, key, settings):
    """What of the targets' embeddings an image may take, `targets dim`."""
    if settings.target_choice == "single":
        return embeddings[jax.random.randint(key, (), 0, len(embeddings))][None]
    if settings.target_choice == "mean":
        return embeddings.mean(axis=0, keepdims=True)
    return embeddings


def advance(
    surrogates: Sequence[Surrogate],
    problem: Problem,
    state: State,
    settings: TipIm,
    count: int,
    *,
    layout: Layout | None = None,
) -> tuple[State, Choice]:
    """Does `count` iterations as one compiled program; calls add up to one long run.

    Args:
      state: its memory is used again: only the one that is returned can be read from then on.
      layout: of `start`.

    Returns:
      The new state, and the choices of each iteration (leading axis: `count`).
    """
    batch, *crop = problem.original.shape
    if problem.alignment is not None:
        crop = CROP, CROP, 3
    choosable = problem.target_embeddings[0].shape[1]
    surrogates, layout = _laid_out(surrogates, batch, (choosable, *crop), layout)
    return _advance(surrogates, problem, state, settings, count, layout)


def iterations_a_call(iterations: int) -> int:
    """How many iterations to ask of `advance` at a time, of a run of so many.

    Few enough for a bar that moves and for Ctrl-C, many enough that the program hardly ever returns
    to the host, and always the same number.
    """
    return greatest_divisor(iterations, _MOST_ITERATIONS_A_CALL)


@partial(jax.jit, static_argnames=("count", "layout"), donate_argnames="state")
def _advance(surrogates, problem, state, settings, count, layout):
    batch = len(problem.valid)
    each = jax.tree.map(lambda number: jnp.broadcast_to(number, (batch,)), settings)
    search = settings.target_choice == "search" and problem.target_embeddings[0].shape[1] > 1

    def on_one_device(surrogates, batches):
        problem, state, each = batches
        # A set of eq. 3 may lie on several devices.
        everywhere = gathered if settings.mmd_group_size > 1 else _as_it_is
        original, valid, gamma = map(everywhere, (problem.original, problem.valid, each.gamma))

        def images(search, state, mmd_gradients):
            def image(arguments):
                return iterate(
                    surrogates, *arguments, search=search, targets_at_once=layout.targets
                )

            return in_pieces(image, (each, problem, state, mmd_gradients), layout.images)

        def step(state, _):
            keys = jax.vmap(jax.random.fold_in)(problem.key, state.iteration)
            mmd_gradients = naturalness_gradients(
                original, everywhere(state.protected), everywhere(keys), valid, gamma, settings
            )
            mmd_gradients = own_share(mmd_gradients, len(keys))
            if not search or settings.search_every == 1:
                return images(search, state, mmd_gradients)
            due = state.iteration[0] % settings.search_every == 0
            return jax.lax.cond(
                due, partial(images, True), partial(images, False), state, mmd_gradients
            )

        return jax.lax.scan(step, state, length=count)

    return over_devices(on_one_device, layout, surrogates, (problem, state, each), (0, 1))


def _as_it_is(array):
    return array
