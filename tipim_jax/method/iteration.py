"""One iteration of TIP-IM on one image (paper, Alg. 1): choose a target, step, project.

Images are RGB float [height, width, 3] in [0, 255]. With K targets and a search an iteration costs
1 forward pass, K vector-Jacobian products and K forward passes; without, 1 and 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, Key

from tipim_jax.method.identity import gain_distances, gains, identity_cotangents
from tipim_jax.method.layout import in_pieces
from tipim_jax.method.settings import TipIm
from tipim_jax.method.surrogate import Surrogate
from tipim_jax.method.update import tip_im_update
from tipim_jax.method.views import draw_view, unview, view

Image = Float[Array, "height width 3"]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Problem:
    """What stays the same while an image is protected; of a batch, with one more axis in front.

    Attributes:
      original: x^r.
      original_embeddings: f(x^r), one array a surrogate.
      target_embeddings: f(x^t_k) of the targets that the image may take, one array a surrogate.
      key: of its random views, so that they do not depend on the batch around it.
      valid: False for images that only pad the batch; they are left out of the MMD term.
    """

    original: Image
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
    lowest = jnp.maximum(problem.original - settings.epsilon, 0)
    highest = jnp.minimum(problem.original + settings.epsilon, 255)

    def move(gradient):
        change, momentum = update.update(gradient, state.momentum)
        return optax.projections.projection_box(state.protected + change, lowest, highest), momentum

    seen = _Seen(surrogates, settings, problem, state)
    if search:
        gradients = seen.identity_gradients(problem.target_embeddings, targets_at_once)
        total = gradients + mmd_gradient
        first = total if settings.candidate_gradient == "total" else gradients
        candidates, momenta = jax.vmap(move)(first)
        embeddings = [surrogate(candidates) for surrogate in surrogates]
        gain = gains(*_distances(problem, embeddings, settings), settings.gain)
        target = jnp.argmax(gain)
        gain = gain[target]
        if settings.candidate_gradient == "total":
            protected, momentum = jax.tree.map(lambda array: array[target], (candidates, momenta))
        else:
            protected, momentum = move(total[target])
    else:
        distances = _distances(problem, [found[None] for found in seen.embeddings], settings)
        gain = gains(*distances, settings.gain)[0]
        nearest = settings.target_choice == "nearest"
        target = jnp.argmin(distances[1][0]) if nearest else state.target
        chosen = [known[target][None] for known in problem.target_embeddings]
        gradient = seen.identity_gradients(chosen, 1)[0]
        protected, momentum = move(gradient + mmd_gradient)
    target = target.astype(state.target.dtype)
    return State(protected, momentum, target, state.iteration + 1), Choice(target, gain)


class _Seen:
    """x^p, perhaps through a random view, as the surrogates see it."""

    def __init__(self, surrogates, settings, problem, state):
        key = jax.random.fold_in(problem.key, state.iteration)
        self._matrices = draw_view(key) if settings.views else None
        image = state.protected
        if settings.views:
            image = view(image, self._matrices)
        looks = [jax.vjp(surrogate.embed_one, image) for surrogate in surrogates]
        self.embeddings, self._pull_backs = zip(*looks, strict=True)
        self._original, self._distance = problem.original_embeddings, settings.distance

    def identity_gradients(self, targets, at_once: int) -> Float[Array, "targets height width 3"]:
        """∇L_iden for every target, the mean over the surrogates: one VJP for each of both."""
        gradient = 0.0
        for pull_back, original, wanted in zip(
            self._pull_backs, self._original, targets, strict=True
        ):
            cotangents = identity_cotangents(original, wanted, self._distance)
            (found,) = in_pieces(pull_back, cotangents, at_once)
            gradient += found / len(self._pull_backs)
        return gradient if self._matrices is None else unview(gradient, self._matrices)


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
