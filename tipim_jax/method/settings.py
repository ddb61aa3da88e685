"""What TIP-IM does, as one frozen dataclass with the published variants as named constructors.

Units: pixels are RGB levels in [0, 255]; `epsilon` and step sizes are in the same unit. Commands
read settings before they have anything to compute, so no JAX is imported here.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

# Widths of the official code's 19 Gaussian kernels, in squared pixel units (TIP-IM, mmd.py).
OFFICIAL_BANDWIDTHS = (
    *(1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 5.0, 10.0, 15.0),
    *(20.0, 25.0, 30.0, 35.0, 100.0, 1e3, 1e4, 1e5, 1e6),
)


# These may be arrays with a value for each image of a batch. One compiled program serves them all.
_NUMBERS = (
    *("epsilon", "dssim", "colour_cost", "smooth_epsilon"),
    *("self_weight", "gamma", "learning_rate"),
)


@dataclass(frozen=True, kw_only=True)
class TipIm:
    """Settings of one TIP-IM run (Yang et al., ICCV 2021); defaults are the official code's.

    Attributes:
      epsilon: largest change of any channel of any pixel, ‖x^p − x^r‖∞ ≤ ε.
      budget: what limits a mask. "levels": ε and `smooth_epsilon` alone; "dssim": what is seen of
        it, too, which is little where texture hides it. Steps are then steepest for what is seen,
        whatever `norm` and `step_rule` say, and α is learning_rate · sqrt(dssim) / T.
      dssim: with that budget, the most DSSIM, (1 − SSIM) / 2 in the face's box, of one face's mask;
        in photos of one that is rounded to whole levels. JPEG adds its own, 0.002 to 0.003 at
        quality 95.
      colour_cost: with that budget, what grain of colour costs in terms of grain of brightness. A
        tint, colour that varies little from pixel to pixel, costs four times as much.
      smooth_epsilon: largest change of a pixel whose surroundings are smooth, as skin and sky are,
        where the eye sees noise. It grows with their contrast, up to ε.
      colour_epsilon: largest change of a pixel's colour: its channels change by at most so much
        more or less than the middle of their changes. At 0 pixels become lighter and darker alone.
      self_weight: weight w of leaving oneself, in eq. 2: D_f(x^p, x^t) − w · D_f(x^p, x^r). The
        paper has 1.
      gamma: weight γ of the MMD term in eq. 4.
      learning_rate: step size α, in the unit that `step_rule` says.
      iterations: number of steps T.
      step_rule: "pixels": α = learning_rate; "budget": α = learning_rate · ε / T.
      norm: direction of the step. "linf": sign(g); "l2": g / ‖g‖₂ · sqrt(H·W·3), so that α is the
        step's root mean square. The result is projected on the ℓ∞ ball in both.
      momentum: μ in g ← μ·g + ∇ / mean|∇|.
      distance: how the loss reduces (f(a) − f(b))² over the embedding: "sum", as eq. 2 has
        it, or "mean".
      ensemble: what is averaged over several surrogates: their "losses", or their "gradients", each
        divided by the mean of its absolute values first, so that no network drowns the others.
      target_choice: "search": in each iteration every image takes the best of all targets, a step
        towards each of which is tried (Alg. 1); "nearest": the one whose embedding is nearest to
        that of x^p; "single": the one that its key draws, throughout; "mean": all together, since
        the mean of the losses has the gradient of the loss towards the mean of the targets'
        embeddings.
      search_every: iterations from one search to the next; in between its target is kept.
      gain: how eq. 7 reduces over the targets.
      gain_distance: "squared" distances in the gain, as eq. 7 has them, or "euclidean" ones.
      candidate_gradient: candidates step along the gradient of "identity" (the loss of eq. 2 alone,
        as in Alg. 1; the chosen target's step then takes the whole loss) or of the "total" loss.
      views: how many random views of an iterate are looked at in an iteration; their gradients are
        averaged. 0: the iterate itself is looked at.
      view: "official": a random affine view and a random rotation of the crop, one after the other;
        "posted": the crop as another face detector might have aligned it, scaled down and up again,
        and compressed as JPEG.
      mmd_bandwidths: σ of the kernels exp(−d² / 2σ), in squared pixels.
      mmd_group_size: how many images the two sets of eq. 3 have. 1: every image is a set of its
        own. More: consecutive images of the batch; a smaller batch is filled with random views of
        its images (paper, footnote 4).
      mmd_divided_by_group: divide the MMD once more by the group size, as the official code does.
    """

    epsilon: float = 12.0
    budget: Literal["levels", "dssim"] = "levels"
    dssim: float = 0.012
    colour_cost: float = 1.0
    smooth_epsilon: float = 255.0
    colour_epsilon: float = 255.0
    self_weight: float = 1.0
    gamma: float = 0.0
    learning_rate: float = 1.5
    iterations: int = 100
    step_rule: Literal["pixels", "budget"] = "budget"
    norm: Literal["linf", "l2"] = "l2"
    momentum: float = 1.0
    distance: Literal["sum", "mean"] = "mean"
    ensemble: Literal["losses", "gradients"] = "losses"
    target_choice: Literal["search", "nearest", "single", "mean"] = "search"
    search_every: int = 1
    gain: Literal["max", "sum", "min"] = "max"
    gain_distance: Literal["squared", "euclidean"] = "euclidean"
    candidate_gradient: Literal["identity", "total"] = "total"
    views: int = 1
    view: Literal["official", "posted"] = "official"
    mmd_bandwidths: tuple[float, ...] = OFFICIAL_BANDWIDTHS
    mmd_group_size: int = 1
    mmd_divided_by_group: bool = True

    @classmethod
    def official(cls) -> "TipIm":
        """The defaults of the authors' code (ShawnXYang/TIP-IM, run.py)."""
        return cls()

    @classmethod
    def paper(cls) -> "TipIm":
        """The method as printed: eq. 2 to 7, Alg. 1 and section 4.1, at γ = 0."""
        return cls(
            iterations=50,
            step_rule="pixels",
            norm="linf",
            distance="sum",
            gain_distance="squared",
            candidate_gradient="identity",
            views=0,
            mmd_group_size=50,
            mmd_divided_by_group=False,
        )

    @classmethod
    def economical(cls) -> "TipIm":
        """The official code's settings, with the nearest target in place of the search.

        With ten targets 2 network passes in place of 21 (docs/performance.md).
        """
        return cls(target_choice="nearest")

    @classmethod
    def fast(cls) -> "TipIm":
        """Ours, the default of before: a budget of levels (docs/protection.md).

        Other than the official settings: long steps that turn quickly, the nearest target, views of
        what posting and other detectors make of a photo, the gradients of several networks as
        equals, no more than 4 levels of colour, or of anything where the photo is smooth, and three
        times as much weight on leaving oneself as on coming near the target.
        """
        return cls(
            smooth_epsilon=4.0,
            colour_epsilon=4.0,
            self_weight=3.0,
            learning_rate=5.0,
            iterations=40,
            momentum=0.65,
            ensemble="gradients",
            target_choice="nearest",
            view="posted",
        )

    @classmethod
    def balanced(cls) -> "TipIm":
        """As `fast`, but the budget is what is seen of a mask (docs/protection.md)."""
        return dataclasses.replace(
            cls.fast(),
            budget="dssim",
            epsilon=24.0,
            colour_cost=0.5,
            smooth_epsilon=255.0,
            colour_epsilon=8.0,
            views=2,
        )

    @classmethod
    def subtle(cls) -> "TipIm":
        """As `balanced`, with half as much to be seen, and less of it a tint."""
        return dataclasses.replace(cls.balanced(), dssim=0.006, colour_cost=1.0)

    @classmethod
    def strong(cls) -> "TipIm":
        """As `balanced`, with twice as much to be seen, and less of it a tint: the default."""
        return dataclasses.replace(cls.balanced(), dssim=0.027, colour_cost=1.0)

    @classmethod
    def reproduction(cls) -> "TipIm":
        """Liu and Bei's reproduction: the official code at the smallest γ of their sweep."""
        return cls(gamma=0.0007)

    @property
    def step_size(self) -> float:
        """Step size α in pixels; of a budget of DSSIM in square roots of that."""
        if self.budget == "dssim":
            return self.learning_rate * np.sqrt(self.dssim) / self.iterations
        if self.step_rule == "pixels":
            return self.learning_rate
        return self.learning_rate * self.epsilon / self.iterations

    def gradients(self, targets: int) -> int:
        """Number of targets towards each of which an iteration takes a gradient, of so many."""
        return targets if self.target_choice == "search" else 1

    @classmethod
    def of_each(cls, settings: Sequence["TipIm"]) -> "TipIm":
        """Settings of the images of a batch, which differ in their numbers alone, as one object."""
        values = {
            name: np.array([getattr(one, name) for one in settings], np.float32)
            for name in _NUMBERS
        }
        return dataclasses.replace(settings[0], **values)

    @property
    def without_numbers(self) -> "TipIm":
        """What a compiled program is made for: the same with its numbers at their defaults."""
        numbers = (*_NUMBERS, "iterations", "step_rule")
        defaults = {name: getattr(TipIm, name) for name in numbers}
        return dataclasses.replace(self, **defaults)

    def check(self) -> None:
        """Raises ValueError for the first setting that is out of its range."""
        for field in dataclasses.fields(self):
            allowed = getattr(field.type, "__args__", None)
            value = getattr(self, field.name)
            if allowed and isinstance(allowed[0], str) and value not in allowed:
                raise ValueError(f"{field.name} is {value!r}; expected one of {', '.join(allowed)}")
        for name, low, high in (
            ("epsilon", 0.0, 255.0),
            ("smooth_epsilon", 0.0, 255.0),
            ("dssim", 0.0, 0.5),
            ("colour_cost", 0.1, float("inf")),
            ("colour_epsilon", 0.0, 255.0),
            ("self_weight", 0.0, float("inf")),
            ("gamma", 0.0, float("inf")),
            ("learning_rate", 0.0, float("inf")),
            ("momentum", 0.0, float("inf")),
            ("iterations", 1, float("inf")),
            ("search_every", 1, float("inf")),
            ("views", 0, float("inf")),
            ("mmd_group_size", 1, float("inf")),
        ):
            value = getattr(self, name)  # perhaps one for each image
            if not np.all((low <= np.asarray(value)) & (np.asarray(value) <= high)):
                raise ValueError(f"{name} is {value}; expected a value in [{low:g}, {high:g}]")
        if not self.mmd_bandwidths or min(self.mmd_bandwidths) <= 0:
            raise ValueError(
                f"mmd_bandwidths is {self.mmd_bandwidths}; expected one or more values above 0"
            )


PRESETS = {
    "subtle": TipIm.subtle,
    "balanced": TipIm.balanced,
    "strong": TipIm.strong,
    "fast": TipIm.fast,
    "economical": TipIm.economical,
    "official": TipIm.official,
    "paper": TipIm.paper,
    "reproduction": TipIm.reproduction,
}
