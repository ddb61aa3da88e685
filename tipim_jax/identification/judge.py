"""Who is found, at what rank and above what threshold: a gallery as one recogniser sees it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from tipim_jax.identification.distractors import drawn_distractors
from tipim_jax.identification.estimates import Estimate, mean, share
from tipim_jax.identification.impostors import false_match_rates, impostor_threshold
from tipim_jax.identification.ranking import Standings, standings
from tipim_jax.identification.roster import Roster
from tipim_jax.networks import Network

# False accept rates among the gallery's own impostors for which thresholds are chosen.
FARS = (0.01, 0.001)
# Name in results -> what it is called for people.
FIGURES = {
    "rank1_t": "Rank-1-T",
    "rank5_t": "Rank-5-T",
    "rank1_ut": "Rank-1-UT",
    "rank5_ut": "Rank-5-UT",
    "recognised": "recognised",
    "success_far_0.01": "PSR at FAR 0.01",
    "success_far_0.001": "PSR at FAR 0.001",
    "own_cosine": "cosine to self",
    "target_cosine": "cosine to nearest target",
}
# Those that depend on a threshold.
WITH_THRESHOLD = ("recognised", *(f"success_far_{far:g}" for far in FARS))
_MEANS = ("own_cosine", "target_cosine")  # the other figures are shares of the probes
_CMC = 20  # ranks of its curve
_OWN_FAR = 1e-3  # at which a network accepts for which nobody states a threshold


@dataclass(frozen=True)
class Threshold:
    """A cosine from which a recogniser takes two faces for one person.

    Attributes:
      cosine: The threshold.
      false_match_rate: Share of the pairs of different people among the faces at hand (gallery,
        targets, unprotected probes) whose cosine reaches it: what chance gives. None without such
        pairs.
    """

    cosine: float
    false_match_rate: float | None


@dataclass(frozen=True)
class Recognition:
    """What one recogniser makes of the probes.

    Attributes:
      held_out: Whether the masks were made without it.
      figures: Shares of the probes and means over them, by the names in `FIGURES`; None for what
        does not exist. `recognised` is the share whose own cosine reaches the recogniser's own
        threshold, PSR (protection success rate) the share that keeps below a threshold chosen for
        a FAR.
      thresholds: Those that figures depend on, by the names of these.
      cmc: Cumulative match characteristic: share of the probes whose person is among the N nearest
        images of the gallery, N from 1.
    """

    held_out: bool
    figures: dict[str, Estimate | None]
    thresholds: dict[str, Threshold]
    cmc: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Judge:
    """A gallery as one recogniser sees it, and the thresholds that it is judged by.

    Attributes:
      roster: Who is who.
      gallery: Embeddings of what is searched.
      strangers: Embeddings of those who can only be in the way, searched as if they stood behind
        the gallery's.
      thresholds: By the names of the figures that depend on them.
    """

    roster: Roster
    gallery: Float[np.ndarray, "images dim"]
    strangers: tuple[Float[np.ndarray, "some dim"], ...]
    thresholds: Mapping[str, Threshold]

    @classmethod
    def of(
        cls,
        network: Network | float,
        roster: Roster,
        faces: Float[np.ndarray, "faces dim"],
        *,
        strangers: Float[np.ndarray, "strangers dim"] | None = None,
        drawn: int = 0,
        fars: Sequence[float] = (),
    ) -> "Judge":
        """Prepares a search.

        Strangers, who may be one another, take part in no threshold, nor do drawn distractors.

        Args:
          network: the recogniser's, or the cosine that is its own threshold.
          roster: who is who.
          faces: embeddings of the roster's faces.
          strangers: embeddings of people without names.
          drawn: number of distractors that are drawn after the gallery, see `drawn_distractors`.
          fars: false accept rates, some of `FARS`, for which thresholds are chosen.

        Raises:
          ValueError: a threshold is to be chosen, and all photos of the gallery are of one person.
        """
        gallery = faces[roster.searched]
        known = slice(len(faces) - len(roster.own))  # the gallery and the targets
        own = network
        if isinstance(network, Network):
            own = own_threshold(network, faces[known], roster.people[known])
        chosen = {"recognised": own}
        if fars:
            found = impostor_threshold(gallery, roster.identities, fars)
            chosen |= {f"success_far_{far:g}": float(t) for far, t in zip(fars, found, strict=True)}
        rates = false_match_rates(faces, roster.people, [*chosen.values()])
        pairs = zip(chosen.items(), rates, strict=True)
        behind = drawn_distractors(gallery, drawn, seed=0) if drawn else ()
        return cls(
            roster=roster,
            gallery=gallery,
            strangers=(*behind, *(() if strangers is None else (strangers,))),
            thresholds={name: Threshold(cosine, rate) for (name, cosine), rate in pairs},
        )

    def standings(
        self,
        probes: Float[np.ndarray, "some dim"],
        which: Bool[np.ndarray, " probes"] | slice = slice(None),
    ) -> Standings:
        """Where probes stand.

        Args:
          probes: embeddings, in the roster's order.
          which: those of the roster's probes that they are of.
        """
        return standings(
            self.gallery,
            self.roster.identities,
            probes,
            self.roster.own[which],
            self.roster.targets,
            excluded=self.roster.excluded[which],
            strangers=self.strangers,
        )

    def values(self, found: Standings) -> dict[str, Float[np.ndarray, " probes"]]:
        """The `FIGURES` of each probe: 1 or 0, or a cosine; NaN for what does not exist.

        Rank-N-UT and thresholds ask about probes whose person the gallery has, Rank-N-T exists
        where it has a target.
        """
        values = {}
        for n in (1, 5):
            values[f"rank{n}_t"] = _outcomes(found.target_rank <= n, found.target_rank)
            values[f"rank{n}_ut"] = _outcomes(found.own_rank > n, found.own_rank)
        for name, threshold in self.thresholds.items():
            reached = found.own_cosine >= threshold.cosine
            outcome = reached if name == "recognised" else ~reached
            values[name] = _outcomes(outcome, found.own_rank)
        for name in _MEANS:
            cosines = getattr(found, name)
            values[name] = np.where(np.isfinite(cosines), cosines, np.nan)
        return values

    def figures(
        self, found: Standings, names: Iterable[str] = tuple(FIGURES)
    ) -> dict[str, Estimate | None]:
        """Those of the `FIGURES` that there are, over all probes, by name."""
        values = self.values(found)
        return {
            name: (mean if name in _MEANS else share)(values[name])
            for name in names
            if name in values
        }

    def recognition(self, found: Standings, *, held_out: bool) -> Recognition:
        """What the recogniser makes of all probes.

        Args:
          found: where they stand.
          held_out: whether the masks were made without this recogniser.
        """
        known = found.own_rank[~np.isnan(found.own_rank)]
        ranks = range(1, 1 + min(_CMC, len(self.gallery) + sum(map(len, self.strangers))))
        return Recognition(
            held_out=held_out,
            figures=self.figures(found),
            thresholds=dict(self.thresholds),
            cmc=tuple(float((known <= n).mean()) for n in ranks) if known.size else (),
        )


def own_threshold(
    network: Network, known: Float[np.ndarray, "faces dim"], people: Int[np.ndarray, " faces"]
) -> float:
    """The registry's, or one that others publish; of a network without, what known faces give.

    Args:
      network: the recogniser's.
      known: embeddings of faces of known people.
      people: who is in each.

    Raises:
      ValueError: nobody states a threshold, and all faces are of one person.
    """
    if network.threshold is not None:
        return network.threshold
    if network.published_thresholds:
        return network.published_thresholds[0].cosine
    return float(impostor_threshold(known, people, _OWN_FAR))


def _outcomes(holds, known) -> Float[np.ndarray, " probes"]:
    return np.where(np.isnan(known), np.nan, holds)
