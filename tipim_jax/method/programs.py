"""The compiled programs that a batch goes through: its start, and iterations.

Nothing in them asks the host on an accelerator: loops know how often they run, and whether an
iteration searches, or has an MMD, is decided before it is called.
"""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from tipim_jax.method import run
from tipim_jax.method.budget import budget_weight, grain_cost
from tipim_jax.method.devices import gathered, over_devices, own_share
from tipim_jax.method.ensemble import window_sizes
from tipim_jax.method.problem import Choice, Numbers, Problem, State
from tipim_jax.method.views import inverse, through
from tipim_jax.traced import Traced, kept_as

# Of one compiled program, which hardly ever returns to the host, and yet often enough for a bar
# that moves and for Ctrl-C.
ITERATIONS_A_CALL = 5

# What these programs give.
for _kind in (Choice, Numbers, Problem, State, optax.EmptyState, optax.TraceState):
    kept_as(f"tipim_jax.{_kind.__name__}", _kind)


class Kind(NamedTuple):
    """What a program's iterations are.

    Attributes:
      searches: whether they search for the best target.
      most: number of iterations that it does at most.
    """

    searches: bool
    most: int


class Call(NamedTuple):
    """Of a program: so many iterations of a kind."""

    kind: Kind
    count: int


def calls(search_every: int, begun: int, count: int) -> Iterator[Call]:
    """The programs to call for so many iterations.

    Args:
      search_every: see `Steps.search_every`.
      begun: number of iterations done before.
    """
    end = begun + count
    while begun < end:
        kind, until = Kind(search_every == 1, ITERATIONS_A_CALL), end
        if search_every > 1 and begun % search_every == 0:
            kind, until = Kind(True, 1), begun + 1
        elif search_every > 1:
            kind = Kind(False, min(search_every - 1, ITERATIONS_A_CALL))
            until = begun + search_every - begun % search_every
        call = Call(kind, min(kind.most, until - begun, end - begun))
        yield call
        begun += call.count


@partial(Traced, arrays=7)
def start_batch(surrogates, images, targets, keys, alignments, valid, numbers, steps, layout):
    """A batch's problem and state; see `start`."""
    # Of one type, as what is kept of a program says nothing of numbers that give way to others.
    numbers = jax.tree.map(lambda n: jnp.full(len(valid), n, float), numbers)
    return over_devices(
        partial(_start_share, steps, layout),
        layout,
        (surrogates, targets),
        (images, keys, alignments, valid, numbers),
        (0, 0),
    )


def _start_share(steps, layout, same, batches):
    surrogates, targets = same
    images, _, alignments, valid, _ = batches
    windows, seen = layout.each_image(partial(_shown, surrogates), valid, images, alignments)
    own, known = _embeddings(surrogates, layout, seen, valid, targets)
    one = partial(_start_one, steps, surrogates, known)
    return layout.each_image(one, valid, own, windows, *batches)


def _shown(surrogates, image, alignments):
    """The windows, and what each shows of an image."""
    windows = None if alignments is None else tuple(map(inverse, alignments))
    return windows, {
        number: through(image, None if windows is None else windows[number], size)
        for number, size in window_sizes(surrogates).items()
    }


def _embeddings(surrogates, layout, seen, valid, targets):
    """Of the images and of the targets, all at once: each network is compiled here but once."""
    count = len(valid)
    found = []
    for surrogate in surrogates:
        wanted = targets[surrogate.window]
        pictures = jnp.concatenate([seen[surrogate.window], wanted])
        real = jnp.concatenate([valid, jnp.ones(len(wanted), bool)])
        # A forward pass of so many more is less than the gradients of an iteration.
        some = layout.with_images(layout.images + len(wanted))
        found.append(some.each_image(surrogate.embed_one, real, pictures))
    return tuple(f[:count] for f in found), tuple(f[count:] for f in found)


def _start_one(steps, surrogates, known, own, windows, image, key, alignments, valid, numbers):
    rows, target_embeddings = steps.allowed(known, key)
    size = window_sizes(surrogates).get(0, (112, 112))
    window = None if alignments is None else alignments[0], size
    weight = budget_weight(image, *window, numbers.epsilon, numbers.smooth_epsilon)
    problem = Problem(
        original=image,
        weight=weight,
        cost=grain_cost(image, *window),
        grey=jnp.all(image == image[..., :1]),
        windows=windows,
        original_embeddings=own,
        targets=rows,
        target_embeddings=target_embeddings,
        numbers=numbers,
        key=key,
        valid=valid,
    )
    momentum = steps.update(problem).init(image)
    return problem, State(jnp.copy(image), momentum, rows[0], jnp.zeros((), jnp.int32))


@partial(Traced, arrays=4, donated=2)
def advance_batch(surrogates, problem, state, count, kind, steps, restrained, layout):
    """`count` iterations of a kind, and the choices of `kind.most`; see `advance`.

    Args:
      restrained: whether γ may be above 0.
    """
    share = partial(_advance_share, kind, steps, restrained, layout, len(problem.valid))
    return over_devices(share, layout, (surrogates, count), (problem, state), (0, 1))


def _advance_share(kind, steps, restrained, layout, batch, same, batches):
    surrogates, count = same
    problem, state = batches
    mmd_gradients = partial(_no_mmd_gradients, problem)
    if restrained:
        mmd_gradients = _mmd_gradients(steps, layout, problem, batch)
    iteration = partial(run.follow, steps, surrogates)
    if kind.searches:
        iteration = partial(run.search, steps, surrogates, layout.targets)

    def iterate(number, found):
        state, choices = found
        images = problem, state, mmd_gradients(state)
        state, choice = layout.each_image(iteration, problem.valid, *images)
        return state, jax.tree.map(lambda all_, one: all_.at[number].set(one), choices, choice)

    shape = kind.most, len(problem.valid)
    choices = Choice(jnp.zeros(shape, state.target.dtype), jnp.zeros(shape, state.protected.dtype))
    return layout.repeated(iterate, count, kind.most, (state, choices))


def _mmd_gradients(steps, layout, problem, batch):
    """What gives N · ∂MMD/∂x^p of a device's share, from its state."""
    # A set of eq. 3 may lie on several devices.
    everywhere = partial(gathered, batch=batch) if steps.mmd_of_batch else _as_it_is
    original, valid = everywhere(problem.original), everywhere(problem.valid)
    needed = jnp.any(everywhere(problem.numbers.gamma) != 0)

    def gradients(state):
        keys = jax.vmap(jax.random.fold_in)(problem.key, state.iteration)
        moved = everywhere(state.protected), everywhere(keys)
        compute = partial(steps.mmd_gradients, original, *moved, valid)
        if layout.on_cpu:  # where one program serves all γ, and a branch costs nothing
            found = jax.lax.cond(needed, compute, lambda: jnp.zeros_like(original))
        else:
            found = compute()
        return own_share(found, len(keys)) if steps.mmd_of_batch else found

    return gradients


def _no_mmd_gradients(problem, state):
    return jnp.zeros_like(problem.original)


def _as_it_is(array):
    return array
