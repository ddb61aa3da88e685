"""Algorithm 1 of the paper: one iteration of one image.

With K targets, V views and a search an iteration costs V forward passes, V·K vector-Jacobian
products and K forward passes; without, V and V.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
from jaxtyping import Array, Key

from tipim_jax.method.ensemble import distances, embed, identity_gradients, look
from tipim_jax.method.problem import Choice, Image, Problem, State
from tipim_jax.method.step import step
from tipim_jax.method.steps import Steps
from tipim_jax.method.surrogate import Surrogate


def search(
    steps: Steps,
    surrogates: Sequence[Surrogate],
    at_once: int,
    problem: Problem,
    state: State,
    mmd_gradient: Image,
) -> tuple[State, Choice]:
    """An iteration as it is printed: tries a step towards every target, and takes the best one.

    Args:
      at_once: number of targets whose gradients go through a network together.
      mmd_gradient: N · ∂MMD/∂x^p.
    """

    def gradients_of_view(key):
        seen = look(surrogates, problem.windows, state.protected, steps.view, key)
        return identity_gradients(
            surrogates, seen, problem, problem.target_embeddings, steps, at_once
        )

    identity = _mean_over_views(gradients_of_view, problem, state, steps.views)
    total = steps.total(identity, mmd_gradient, problem.numbers.gamma)

    move = partial(step, problem, state, update=steps.update, project=steps.project)
    candidates, _ = jax.vmap(move)(total if steps.tries_total else identity)
    embeddings = embed(surrogates, problem.windows, candidates)
    gains = steps.gain(*distances(embeddings, problem, steps.distances))

    best = steps.best(gains)
    return _moved(move(total[best]), best, gains[best], problem, state)


def follow(
    steps: Steps,
    surrogates: Sequence[Surrogate],
    problem: Problem,
    state: State,
    mmd_gradient: Image,
) -> tuple[State, Choice]:
    """An iteration without a search: a step towards one target, which x^p alone decides.

    Args:
      mmd_gradient: N · ∂MMD/∂x^p.
    """
    kept = (problem.targets == state.target).argmax()

    def gradient_of_view(key):
        seen = look(surrogates, problem.windows, state.protected, steps.view, key)
        away = distances([f[None] for f in seen.embeddings], problem, steps.distances)
        chosen = steps.choose(away[1][0], kept)
        wanted = [f[chosen][None] for f in problem.target_embeddings]
        return identity_gradients(surrogates, seen, problem, wanted, steps, 1)[0], away

    identity, away = _mean_over_views(gradient_of_view, problem, state, steps.views)
    total = steps.total(identity, mmd_gradient, problem.numbers.gamma)
    moved = step(problem, state, total, update=steps.update, project=steps.project)
    return _moved(moved, steps.choose(away[1][0], kept), steps.gain(*away)[0], problem, state)


def _mean_over_views(
    function: Callable[[Key[Array, ""]], Any], problem: Problem, state: State, views: int
) -> Any:
    """Of what it makes of each view's key; one after the other, to save memory."""
    key = jax.random.fold_in(problem.key, state.iteration)
    if views == 1:
        return function(key)
    found = jax.lax.map(function, jax.random.split(key, views))
    return jax.tree.map(lambda values: values.mean(axis=0), found)


def _moved(moved, row, gain, problem, state) -> tuple[State, Choice]:
    target = problem.targets[row]
    return State(*moved, target, state.iteration + 1), Choice(target, gain)
