"""Several surrogates looking at one image, each through its window.

Losses and distances are averaged over them.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from tipim_jax.method.problem import Image, Problem
from tipim_jax.method.steps import Steps
from tipim_jax.method.surrogate import Images, Surrogate
from tipim_jax.method.views import Size, View, Window, through, transposed
from tipim_jax.pieces import in_pieces


class Look(NamedTuple):
    """What the surrogates make of an image.

    Attributes:
      views: how it was seen through each window.
      embeddings: f(x), one a surrogate.
      pull_backs: from ∂/∂f(x) to the gradient of what was seen, one a surrogate.
    """

    views: dict[int, View]
    embeddings: tuple[Float[Array, " dim"], ...]
    pull_backs: tuple[Callable, ...]


def look(
    surrogates: Sequence[Surrogate],
    windows: Sequence[Window] | None,
    image: Image,
    view: Callable[..., View],
    key: Key[Array, ""],
) -> Look:
    """Shows an image to all surrogates, through views that `view` draws with one key."""
    views = {
        number: view(key, _window(windows, number), size)
        for number, size in window_sizes(surrogates).items()
    }
    seen = {number: one.code(one.see(image)) for number, one in views.items()}
    looks = [jax.vjp(s.embed_one, seen[s.window]) for s in surrogates]
    embeddings, pull_backs = zip(*looks, strict=True)
    return Look(views, embeddings, pull_backs)


def embed(
    surrogates: Sequence[Surrogate], windows: Sequence[Window] | None, images: Images
) -> tuple[Float[Array, "batch dim"], ...]:
    """f(x) of images that have the same windows, without any random view; one array a surrogate."""
    seen = {
        number: jax.vmap(partial(through, window=_window(windows, number), size=size))(images)
        for number, size in window_sizes(surrogates).items()
    }
    return tuple(surrogate(seen[surrogate.window]) for surrogate in surrogates)


def window_sizes(surrogates: Sequence[Surrogate]) -> dict[int, Size]:
    """Of the windows that surrogates look through, (height, width) of what they show."""
    return {surrogate.window: surrogate.size for surrogate in surrogates}


def _window(windows, number):
    return None if windows is None else windows[number]


def identity_gradients(
    surrogates: Sequence[Surrogate],
    seen: Look,
    problem: Problem,
    targets: Sequence[Float[Array, "targets dim"]],
    steps: Steps,
    at_once: int,
) -> Float[Array, "targets height width 3"]:
    """∇L_iden towards every target: a vector-Jacobian product for each of them and each surrogate.

    Args:
      targets: embeddings, one array a surrogate.
      at_once: number of targets whose gradients go through a network together.
    """
    of_window = dict.fromkeys(seen.views, 0.0)
    for surrogate, pull_back, original, wanted in zip(
        surrogates, seen.pull_backs, problem.original_embeddings, targets, strict=True
    ):
        towards = steps.cotangents(original, wanted, problem.numbers.self_weight)
        if len(towards) == 1:  # spares XLA and JAX a batch
            (found,) = jax.tree.map(lambda gradient: gradient[None], pull_back(towards[0]))
        else:
            (found,) = in_pieces(jax.vmap(pull_back), at_once, towards)
        of_window[surrogate.window] += jax.vmap(steps.balance)(found) / len(surrogates)
    size = problem.original.shape[:2]
    return sum(transposed(seen.views[n].see, found, size) for n, found in of_window.items())


def distances(
    embeddings: Sequence[Float[Array, "images dim"]], problem: Problem, distance: Callable
) -> tuple[Float[Array, " images"], Float[Array, "images targets"]]:
    """Of images from x^r and from each target that may be taken.

    Args:
      embeddings: of the images, one array a surrogate.
      distance: see `Steps.distances`.
    """
    to_original, to_targets = 0.0, 0.0
    for found, original, targets in zip(
        embeddings, problem.original_embeddings, problem.target_embeddings, strict=True
    ):
        each = distance(found, jnp.concatenate([original[None], targets]))
        to_original += each[:, 0] / len(embeddings)
        to_targets += each[:, 1:] / len(embeddings)
    return to_original, to_targets
