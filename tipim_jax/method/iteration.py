"""One iteration of TIP-IM on one image (paper, Alg. 1): choose a target, step, project.

Images are RGB float [height, width, 3] in [0, 255]. With K targets, V views and a search an
iteration costs V forward passes, V·K vector-Jacobian products and K forward passes; without, V and
V.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, Key

from tipim_jax.method.identity import gain_distances, gains, identity_cotangents
from tipim_jax.method.layout import in_pieces
from tipim_jax.method.surrogate import Surrogate
from tipim_jax.method.traced import TipIm
from tipim_jax.method.update import colour_clipped, mean_absolute_normalised, tip_im_update
from tipim_jax.method.views import aligned, random_view, transposed

Image = Float[Array, "height width 3"]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Problem:
    """What stays the same while an image is protected; of a batch, with one more axis in front.

    Attributes:
      original: x^r.
      weight: of the budget ε that each pixel may change by, in [0, 1].
      alignment: from the points of the crop, which the networks see, to those of x^r; see `sample`.
        None: x^r is the crop.
      original_embeddings: f(x^r), one array a surrogate.
      target_embeddings: f(x^t_k) of the targets that the image may take, one array a surrogate.
      key: of its random views, so that they do not depend on the batch around it.
      valid: False for images that only pad the batch; they are left out of the MMD term.
    """

    original: Image
    weight: Float[Array, "height width 1"]
    alignment: Float[Array, "2 3"] | None
    original_embeddings: tuple[Float[Array, " dim"], ...]
    target_embeddings: tuple[Float[Array, "targets dim"], ...]
    key: Key[Array, ""]
    valid: Bool[Array, ""]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class State:
    """What an iteration changes; of a batch, with one more axis in front.

    Attributes:
      protected: x^p.
      momentum: of the gradient.
      target: the one that was taken last, see `Choice`.
      iteration: how many are done.
    """

    protected: Image
    momentum: optax.OptState
    target: Int[Array, ""]
    iteration: Int[Array, ""]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Choice:
    """What an iteration decided; of a batch, with one more axis in front.

    Attributes:
      target: its index among those that the image may take: 0 where there is one alone.
      gain: G of eq. 7: of the candidate that was chosen or, without a search, of x^p as it was seen
        before the step.
    """

    target: Int[Array, ""]
    gain: Float[Array, ""]


def iterate(
    surrogates: Sequence[Surrogate],
    settings: TipIm,
    problem: Problem,
    state: State,
    mmd_gradient: Image,
    *,
    search: bool,
    targets_at_once: int,
) -> tuple[State, Choice]:
    """One iteration of one image.

    Args:
      mmd_gradient: γ · ∂MMD/∂x^p.
      search: try a step towards every target, and take the best one. Otherwise the target is the
        nearest one or the one that was taken last, as `settings.target_choice` says.
      targets_at_once: how many gradients go through the networks together.
    """
    update = tip_im_update(settings)
    budget = settings.epsilon * problem.weight
    lowest = jnp.maximum(problem.original - budget, 0)
    highest = jnp.minimum(problem.original + budget, 255)

    # A step's root mean square is meant over the pixels that may change.
    scale = jnp.sqrt(jnp.mean(problem.weight)) if settings.norm == "l2" else 1.0

    def move(gradient):
        change, momentum = update.update(problem.weight * gradient, state.momentum)
        moved = state.protected + scale * change
        if settings.colour_epsilon < 255:
            change = colour_clipped(moved - problem.original, settings.colour_epsilon)
            moved = problem.original + change
        return optax.projections.projection_box(moved, lowest, highest), momentum

    key = jax.random.fold_in(problem.key, state.iteration)

    def seen(key):
        return _Seen(surrogates, settings, problem, state.protected, key)

    if search:
        gradients = _mean_over_views(
            lambda key: seen(key).identity_gradients(problem.target_embeddings, targets_at_once),
            key,
            settings.views,
        )
        total = gradients + mmd_gradient
        first = total if settings.candidate_gradient == "total" else gradients
        candidates, momenta = jax.vmap(move)(first)
        crops = jax.vmap(lambda image: aligned(image, problem.alignment))(candidates)
        embeddings = [surrogate(crops) for surrogate in surrogates]
        gain = gains(*_distances(problem, embeddings, settings), settings.gain)
        target = jnp.argmax(gain)
        gain = gain[target]
        if settings.candidate_gradient == "total":
            protected, momentum = jax.tree.map(lambda array: array[target], (candidates, momenta))
        else:
            protected, momentum = move(total[target])
    else:

        def chosen(distances):
            nearest = settings.target_choice == "nearest"
            return jnp.argmin(distances[1][0]) if nearest else state.target

        def look(key):
            image = seen(key)
            distances = _distances(problem, [found[None] for found in image.embeddings], settings)
            towards = [known[chosen(distances)][None] for known in problem.target_embeddings]
            return image.identity_gradients(towards, 1)[0], distances

        gradient, distances = _mean_over_views(look, key, settings.views)
        gain = gains(*distances, settings.gain)[0]
        target = chosen(distances)
        protected, momentum = move(gradient + mmd_gradient)
    target = target.astype(state.target.dtype)
    return State(protected, momentum, target, state.iteration + 1), Choice(target, gain)


def _mean_over_views(look, key, views):
    """The mean of what `look` makes of every view's key; one after the other, to save memory."""
    if views <= 1:
        return look(key)
    found = in_pieces(look, jax.random.split(key, views), 1)
    return jax.tree.map(lambda values: values.mean(axis=0), found)


class _Seen:
    """An image, perhaps through a random view, as the surrogates see it."""

    def __init__(self, surrogates, settings, problem, image, key):
        see, coded = partial(aligned, alignment=problem.alignment), lambda crop: crop
        if settings.views:
            see, coded = random_view(key, settings.view, problem.alignment)
        crop = coded(see(image))
        looks = [jax.vjp(surrogate.embed_one, crop) for surrogate in surrogates]
        self.embeddings, self._pull_backs = zip(*looks, strict=True)
        self._original, self._settings = problem.original_embeddings, settings
        self._see, self._shape = see, image.shape[:2]

    def identity_gradients(self, targets, at_once: int) -> Float[Array, "targets height width 3"]:
        """∇L_iden for every target, averaged over the surrogates: one VJP for each of both."""
        gradient = 0.0
        for pull_back, original, wanted in zip(
            self._pull_backs, self._original, targets, strict=True
        ):
            cotangents = identity_cotangents(
                original, wanted, self._settings.self_weight, self._settings.distance
            )
            (found,) = in_pieces(pull_back, cotangents, at_once)
            if self._settings.ensemble == "gradients":
                found = jax.vmap(mean_absolute_normalised)(found)
            gradient += found / len(self._pull_backs)
        return transposed(self._see, gradient, self._shape)


def _distances(problem, embeddings, settings):
    """Of images from x^r and from the targets, the mean over the surrogates: [n] and [n, targets].

    Candidates are looked at without a view (official run.py, `submodular`).
    """
    to_original, to_targets = 0.0, 0.0
    for found, original, targets in zip(
        embeddings, problem.original_embeddings, problem.target_embeddings, strict=True
    ):
        references = jnp.concatenate([original[None], targets])
        distances = gain_distances(found, references, settings.gain_distance)
        to_original += distances[:, 0] / len(embeddings)
        to_targets += distances[:, 1:] / len(embeddings)
    return to_original, to_targets
