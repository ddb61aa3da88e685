"""What an image is protected with, and how far it has come.

Images are RGB float [height, width, 3] in [0, 255]. Of a batch every array has one more axis in
front.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import optax
from jaxtyping import Array, Bool, Float, Int, Key

Image = Float[Array, "height width 3"]


class Numbers(NamedTuple):
    """Settings of the image that are numbers: one compiled program serves them all.

    Attributes:
      epsilon: ε, largest change of any channel, in pixel levels.
      dssim: most DSSIM in the face's box, in [0, 0.5].
      colour_cost: cost of grain of colour in terms of grain of brightness.
      smooth_epsilon: largest change where the image is smooth, in pixel levels.
      self_weight: w of eq. 2.
      gamma: γ of eq. 4.
      step_size: α of eq. 5, in pixel levels.
    """

    epsilon: Float[Array, ""]
    dssim: Float[Array, ""]
    colour_cost: Float[Array, ""]
    smooth_epsilon: Float[Array, ""]
    self_weight: Float[Array, ""]
    gamma: Float[Array, ""]
    step_size: Float[Array, ""]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Problem:
    """What stays the same while an image is protected.

    Attributes:
      original: x^r.
      weight: share of the budget ε that each pixel may change by, in [0, 1].
      cost: DSSIM in the face's box that grain of one level costs in one pixel.
      grey: whether x^r is; x^p is then, too.
      windows: for each window, the affine map from the points that its surrogates see to those of
        x^r; see `views.sample`. None: x^r is what every surrogate sees.
      original_embeddings: f(x^r), one array a surrogate.
      targets: which of the caller's targets the image may take; −1: all together.
      target_embeddings: f(x^t_k) of these, one array a surrogate.
      numbers: settings of this image.
      key: decides its random views, so that they do not depend on the batch around it.
      valid: False for images that only pad the batch; they are left out of the MMD term.
    """

    original: Image
    weight: Float[Array, "height width 1"]
    cost: Float[Array, "height width 1"]
    grey: Bool[Array, ""]
    windows: tuple[Float[Array, "2 3"], ...] | None
    original_embeddings: tuple[Float[Array, " dim"], ...]
    targets: Int[Array, " targets"]
    target_embeddings: tuple[Float[Array, "targets dim"], ...]
    numbers: Numbers
    key: Key[Array, ""]
    valid: Bool[Array, ""]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class State:
    """What an iteration changes.

    Attributes:
      protected: x^p.
      momentum: state of the step of eq. 5: what has been accumulated of the gradients.
      target: the target that was taken last, see `Choice`; before the first iteration the first
        one of those that the image may take.
      iteration: number of iterations done.
    """

    protected: Image
    momentum: optax.OptState
    target: Int[Array, ""]
    iteration: Int[Array, ""]


class Choice(NamedTuple):
    """What an iteration decided.

    Attributes:
      target: index of the target that was taken among the caller's; −1: all together.
      gain: G of eq. 7: of the candidate that was chosen or, without a search, of x^p as it was seen
        before the step.
    """

    target: Int[Array, ""]
    gain: Float[Array, ""]
