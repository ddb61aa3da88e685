"""What a recogniser makes of protected faces, and how much they were changed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Num, UInt8

from tipim_jax.identification.distractors import drawn_distractors
from tipim_jax.identification.faces import Faces, Strangers
from tipim_jax.identification.impostors import impostor_threshold
from tipim_jax.identification.protection import (
    cosine_to,
    cumulative_matches,
    not_verified,
    rank_n_targeted,
    rank_n_untargeted,
)
from tipim_jax.identification.recogniser import Recogniser
from tipim_jax.identification.row import Seen, figure
from tipim_jax.identification.search import Nearest, joined, nearest
from tipim_jax.identification.visibility import greatest_difference, psnr, published_mmd, ssim

FARS = (0.01, 0.001)
# Name in rows -> what it is called for people.
FIGURES = {
    "rank1_t": "Rank-1-T",
    "rank5_t": "Rank-5-T",
    "rank1_ut": "Rank-1-UT",
    "rank5_ut": "Rank-5-UT",
    "success_far_0.01": "PSR at FAR 0.01",
    "success_far_0.001": "PSR at FAR 0.001",
    "own_cosine": "cosine to self",
    "target_cosine": "cosine to nearest target",
}
_NEAREST = 20  # gallery images that are looked at; so long is the CMC curve
_NOBODY = -1  # the identity of strangers and of drawn distractors


@dataclass(frozen=True, eq=False)
class Trial:
    """Who is searched for, and among whom.

    Attributes:
      probes: one face of each protected person, unprotected.
      targets: one face of each target, which masks are made with.
      gallery: what is searched.
      drawn: how many embeddings of nobody are added to the gallery (`drawn_distractors`).
      strangers: faces that are added to it, of people who can only be in the way.
      approximate: search as `nearest` does when it may miss some.
    """

    probes: Faces
    targets: Faces
    gallery: Faces
    drawn: int = 0
    strangers: Strangers | None = None
    approximate: bool = False

    @property
    def about(self) -> dict[str, Any]:
        """What a row has to say of the search: what makes it another than usual."""
        about = {}
        if self.strangers:
            about["distractor_photos"] = len(self.strangers)
        if self.drawn:
            about["drawn_distractors"] = self.drawn
        if self.approximate:
            about["search"] = "approximate"
        return about


@dataclass(frozen=True, eq=False)
class Judge:
    """A recogniser that has seen the gallery.

    Attributes:
      recogniser: the network.
      gallery: embeddings, of drawn distractors too.
      strangers: more of them, searched as if they stood behind the gallery's; a memory-map will do.
      identities: who is in each image of the gallery and of the strangers, as numbers.
      own: the number of each probe's person.
      targets: the numbers of the targets.
      thresholds: cosines at which impostor pairs of the gallery give the false accept rates `FARS`.
      approximate: whether the search may miss some.
    """

    recogniser: Recogniser
    gallery: Float[np.ndarray, "images dim"]
    strangers: Float[np.ndarray, "strangers dim"]
    identities: Int[np.ndarray, " images+strangers"]
    own: Int[np.ndarray, " probes"]
    targets: Int[np.ndarray, " targets"]
    thresholds: Float[np.ndarray, " fars"]
    approximate: bool

    @classmethod
    def of(
        cls,
        recogniser: Recogniser,
        trial: Trial,
        gallery: Float[np.ndarray, "images dim"] | None = None,
        strangers: Float[np.ndarray, "strangers dim"] | None = None,
        progress: Callable[[float], None] = lambda _: None,
    ) -> "Judge":
        """Shows the trial's gallery and strangers to a recogniser.

        The thresholds are those of the gallery's own photos, and drawn distractors resemble these:
        strangers, who may be one another, take part in neither.

        Args:
          gallery, strangers: embeddings of the faces, where they are known already.
          progress: called with the number of faces just looked at.
        """
        if gallery is None:
            gallery = recogniser(trial.gallery.crops, progress)
        if strangers is None:
            batches = trial.strangers.batches if trial.strangers else ()
            found = [recogniser(crops, progress) for crops in batches]
            strangers = np.concatenate([gallery[:0], *found])
        everybody = dict.fromkeys(
            (*trial.gallery.people, *trial.probes.people, *trial.targets.people)
        )
        number = {person: n for n, person in enumerate(everybody)}
        identities = np.array([number[person] for person in trial.gallery.people])
        thresholds = impostor_threshold(gallery, identities, FARS)
        if trial.drawn:
            gallery = np.concatenate([gallery, *drawn_distractors(gallery, trial.drawn, seed=0)])
        nobody = len(gallery) + len(strangers) - len(identities)
        identities = np.append(identities, np.full(nobody, _NOBODY))
        return cls(
            recogniser=recogniser,
            gallery=gallery,
            strangers=strangers,
            identities=identities,
            own=np.array([number[person] for person in trial.probes.people]),
            targets=np.array([number[p] for p in dict.fromkeys(trial.targets.people)]),
            thresholds=thresholds,
            approximate=trial.approximate,
        )

    def __call__(self, crops: UInt8[np.ndarray, "probes 112 112 3"], *, held_out: bool) -> Seen:
        """Searches for the probes as they are in these crops.

        Args:
          crops: of all probes, in their order.
          held_out: whether the masks were made without this recogniser.
        """
        found, values = self.values(crops)
        return Seen(
            held_out=held_out,
            figures={name: figure(values[name]) for name in FIGURES},
            cmc=tuple(cumulative_matches(found, self.identities, self.own).mean(axis=0).tolist()),
        )

    def values(
        self, crops: UInt8[np.ndarray, "probes 112 112 3"]
    ) -> tuple[Nearest, dict[str, Num[np.ndarray, " probes"]]]:
        """What is nearest to each probe, and the `FIGURES` of each; NaN for what does not exist."""
        probes = self.recogniser(crops)
        found = self._search(probes)
        few = min(5, found.index.shape[1])
        own_cosine = cosine_to(self.gallery, self.identities, probes, self.own[:, None])
        wanted = np.tile(self.targets, (len(probes), 1))
        values = {
            "rank1_t": rank_n_targeted(found, self.identities, self.targets, 1),
            "rank5_t": rank_n_targeted(found, self.identities, self.targets, few),
            "rank1_ut": rank_n_untargeted(found, self.identities, self.own, 1),
            "rank5_ut": rank_n_untargeted(found, self.identities, self.own, few),
            "own_cosine": own_cosine,
            "target_cosine": cosine_to(self.gallery, self.identities, probes, wanted),
        }
        if not self.targets.size:
            values["rank1_t"] = values["rank5_t"] = np.full(len(probes), np.nan)
        for far, fails in zip(FARS, not_verified(own_cosine, self.thresholds).T, strict=True):
            values[f"success_far_{far:g}"] = fails
        return found, values

    def _search(self, probes) -> Nearest:
        count = min(_NEAREST, len(self.identities))
        found = nearest(self.gallery, probes, count, approximate=self.approximate)
        if not len(self.strangers):
            return found
        behind = nearest(self.strangers, probes, count, approximate=self.approximate)
        return joined(found, behind, len(self.gallery))


def quality(
    clean: UInt8[np.ndarray, "faces height width 3"],
    protected: UInt8[np.ndarray, "faces height width 3"],
) -> Mapping[str, Sequence[float | None]]:
    """How much the faces were changed: PSNR (dB), SSIM, MMD, and the greatest difference.

    PSNR is over the faces that were changed at all. MMD is the official code's, at a batch of one.
    """
    decibels = np.where(np.isinf(value := psnr(clean, protected)), np.nan, value)
    return {
        "psnr": figure(decibels),
        "ssim": figure(ssim(clean, protected)),
        "mmd": figure(published_mmd(clean, protected)),
        "difference": (float(greatest_difference(clean, protected)),) * 3,
    }
