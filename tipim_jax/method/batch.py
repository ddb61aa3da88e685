"""TIP-IM on whole batches, over all devices.

Images are RGB float [batch, height, width, 3] in [0, 255]. Images of a batch touch each other only
in the MMD term, that is at γ > 0 with a group size above 1; all else is done to each of them alone.

The numbers among the settings (ε, γ, learning rate …) may be arrays with one value for each image,
so that images of several settings make one batch; all images of an MMD group have the same ones.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key

from tipim_jax.method.devices import Layout
from tipim_jax.method.ensemble import window_sizes
from tipim_jax.method.problem import Choice, Numbers, Problem, State
from tipim_jax.method.programs import advance_batch, calls, start_batch
from tipim_jax.method.settings import TipIm
from tipim_jax.method.steps import Steps, steps_of
from tipim_jax.method.surrogate import Images, Surrogate

Targets = Float[Array, "targets height width 3"]
Alignments = Float[Array, "batch 2 3"]


def protect(
    surrogates: Sequence[Surrogate],
    images: Images,
    targets: Targets | Sequence[Targets],
    keys: Key[Array, " batch"],
    settings: TipIm,
    *,
    alignments: Alignments | Sequence[Alignments] | None = None,
    valid: Bool[Array, " batch"] | None = None,
    layout: Layout | None = None,
    steps: Steps | None = None,
) -> tuple[Images, Choice]:
    """Protects a batch of faces.

    Args:
      surrogates: one or more networks; their losses and distances are averaged.
      images: x^r, RGB in [0, 255]: aligned crops or, with `alignments`, photos around the faces.
      targets: one image of each target identity as the surrogates see it, RGB in [0, 255]; where
        there are several windows, one array a window.
      keys: a random key for each image.
      settings: see `TipIm`.
      alignments: the affine maps from each image's points (x, y), in pixels, to those of what the
        surrogates see; where there are several windows, one array a window, or `batch windows 2 3`.
        A mask lies in what the first window shows; nothing outside changes. None: the images are
        what the surrogates see.
      valid: see `Problem`; by default every image is valid.
      layout: by default the one that `Layout.choose` gives. To call `start` or `advance` often,
        choose it once and let it `replicate` the surrogates: otherwise both are done in every call.
      steps: by default those that `steps_of` gives for the settings.

    Returns:
      x^p as float (not yet rounded), and the choices of every iteration (leading axis: iteration).

    Raises:
      ValueError: a setting is out of range, MMD groups do not divide the batch, or a surrogate has
        no window.
    """
    targets = _of_each_window(targets, 4)
    surrogates, layout = _laid_out(surrogates, len(images), targets[0].shape, settings, layout)
    problem, state = start(
        surrogates,
        images,
        targets,
        keys,
        settings,
        alignments=alignments,
        valid=valid,
        layout=layout,
        steps=steps,
    )
    count = settings.iterations
    state, choices = advance(
        surrogates, problem, state, settings, count, layout=layout, steps=steps, begun=0
    )
    return state.protected, choices


def start(
    surrogates: Sequence[Surrogate],
    images: Images,
    targets: Targets | Sequence[Targets],
    keys: Key[Array, " batch"],
    settings: TipIm,
    *,
    alignments: Alignments | Sequence[Alignments] | None = None,
    valid: Bool[Array, " batch"] | None = None,
    layout: Layout | None = None,
    steps: Steps | None = None,
) -> tuple[Problem, State]:
    """The state before the first iteration; arguments and errors as `protect`."""
    settings.check()
    batch, group = len(images), settings.mmd_group_size
    if batch > group and batch % group:
        raise ValueError(
            f"a batch of {batch} images does not divide into MMD groups of {group}; "
            f"choose a batch of at most {group} or a multiple of it"
        )
    targets = _of_each_window(targets, 4)
    if alignments is not None:
        stacked = getattr(alignments, "ndim", None) == 4
        alignments = _of_each_window(np.moveaxis(alignments, 1, 0) if stacked else alignments, 3)
    _check_windows(surrogates, targets, alignments)
    surrogates, layout = _laid_out(surrogates, batch, targets[0].shape, settings, layout)
    numbers = Numbers(*(getattr(settings, name) for name in Numbers._fields))
    return start_batch(
        surrogates,
        images,
        targets,
        keys,
        alignments,
        np.ones(batch, bool) if valid is None else valid,
        numbers,
        steps or steps_of(settings),
        layout,
    )


def advance(
    surrogates: Sequence[Surrogate],
    problem: Problem,
    state: State,
    settings: TipIm,
    count: int,
    *,
    layout: Layout | None = None,
    steps: Steps | None = None,
    begun: int | None = None,
) -> tuple[State, Choice]:
    """Does `count` iterations; calls add up to one long run.

    One compiled program serves every count, or two where targets are searched for now and then: one
    that searches and one that does not. Each does at most `ITERATIONS_A_CALL`, and is called again
    for more.

    Args:
      state: its memory is used again: only the one that is returned can be read from then on.
      settings: those of `start`; numbers among them are as they were there.
      layout, steps: those of `start`.
      begun: number of iterations that the state has behind it; None: the state is asked, which
        waits for it where targets are searched for now and then.

    Returns:
      The new state, and the choices of each iteration (leading axis: `count`).
    """
    if problem.windows is None:
        _, *seen = problem.original.shape
    else:
        seen = *surrogates[0].size, 3
    targets = problem.targets.shape[1], *seen
    surrogates, layout = _laid_out(surrogates, len(problem.valid), targets, settings, layout)
    steps = steps or steps_of(settings)
    every = _search_every(problem, steps)
    if begun is None:
        begun = int(np.max(state.iteration)) if every > 1 else 0  # padding counts no iterations
    static = steps, _restrained(settings, layout), layout
    choices = []
    for call in calls(every, begun, count):
        state, made = advance_batch(
            surrogates, problem, state, np.int32(call.count), call.kind, *static
        )
        choices.append(jax.tree.map(lambda array, call=call: array[: call.count], made))
    return state, jax.tree.map(lambda *arrays: jnp.concatenate(arrays), *choices)


def prepare(
    surrogates: Sequence[Surrogate],
    images: jax.ShapeDtypeStruct,
    targets: Targets | Sequence[Targets],
    settings: TipIm,
    *,
    layout: Layout,
    alignments: jax.ShapeDtypeStruct | None = None,
    steps: Steps | None = None,
) -> Layout:
    """Compiles what batches of a shape go through, before there is one.

    It may be called in a thread while photos are read: XLA compiles beside Python. `start` and
    `advance` have to wait for it, or would compile the same again.

    Args:
      images, alignments: shapes of those of `start`.
      surrogates, targets, settings, steps: those of `start`, on the devices where they will be.
      layout: where and in what pieces a batch is to be worked on.

    Returns:
      The layout that batches are to have: where a program asks for more memory than the devices
      have free, one with fewer images at once.
    """
    batch, steps = images.shape[0], steps or steps_of(settings)
    if alignments is not None:
        alignments = np.broadcast_to(np.eye(2, 3, dtype=np.float32), alignments.shape)
    while True:
        problem, state = start(
            surrogates,
            np.zeros(images.shape, np.float32),
            targets,
            jax.vmap(jax.random.key)(jnp.zeros(batch, jnp.uint32)),
            settings,
            alignments=alignments,
            valid=np.zeros(batch, bool),  # on a CPU nothing is done to them
            layout=layout,
            steps=steps,
        )
        static = steps, _restrained(settings, layout), layout
        needed = 0
        for kind in {c.kind for c in calls(_search_every(problem, steps), 0, settings.iterations)}:
            program = advance_batch.lower(
                tuple(surrogates), problem, state, np.int32(kind.most), kind, *static
            )
            if memory := program.compile().memory_analysis():  # not every device says so
                needed = max(needed, memory.temp_size_in_bytes + memory.output_size_in_bytes)
        fitting = layout.with_room_for(needed)
        if fitting == layout:
            return layout
        layout = fitting
        del problem, state  # before there are the next ones


def _search_every(problem, steps):
    return steps.search_every if problem.targets.shape[1] > 1 else 0


def _restrained(settings, layout):
    """Whether programs have an MMD; on a CPU all have, so that one serves every γ."""
    return layout.on_cpu or bool(np.any(settings.gamma))


def _of_each_window(arrays, axes):
    """One array, or one a window, as a tuple."""
    return (arrays,) if getattr(arrays, "ndim", None) == axes else tuple(arrays)


def _check_windows(surrogates, targets, alignments):
    for surrogate in surrogates:
        known = min(len(targets), len(targets if alignments is None else alignments))
        if surrogate.window >= known:
            raise ValueError(
                f"a surrogate looks through window {surrogate.window}; there are alignments and "
                f"targets of {known}"
            )
        size = window_sizes(surrogates)[surrogate.window]
        if surrogate.size != size:
            raise ValueError(
                f"window {surrogate.window} shows {surrogate.size} pixels to one surrogate and "
                f"{size} to another; give each a window of its own"
            )


def _laid_out(surrogates, batch, targets, settings, layout):
    """Who gives a layout has replicated the surrogates: to find that out takes time each call."""
    if layout is None:
        count, *crop = targets
        crops = jax.ShapeDtypeStruct((batch, *crop), jnp.float32)
        layout = Layout.choose(surrogates, crops, settings.gradients(count))
        surrogates = layout.replicate(surrogates)
    return tuple(surrogates), layout
