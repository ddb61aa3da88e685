"""Ways to find or to know a person by photos, as one recogniser sees these: who holds what.

Of each person there are some photos, clean and protected, and perhaps further ones that are clean
alone, in a gallery with those of other people. A photo's own copy never counts as another photo of
the person: whoever has a single one takes part only where something else is there to be compared
with. All figures are shares of photos, the harm done: the lower, the better protected.

  search        the gallery is clean, a protected photo is searched for in it
  verification  a protected photo is compared with each clean one of the same person
  enrolment     the gallery holds the people's protected photos, a clean one is searched for in it
  both          the gallery holds the people's protected photos, a protected one is searched for

Photos of a person are no independent trials: intervals are those of a smaller sample (`share`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float, Int

from tipim_jax.identification.estimates import Estimate, share
from tipim_jax.identification.impostors import false_match_rates, impostor_threshold
from tipim_jax.identification.judge import FARS, Judge, Threshold
from tipim_jax.identification.roster import Roster

# Name in results -> what it is called for people.
HARMS = {
    "found_first": "found first",
    "found_in_five": "found among the first five",
    "recognised": "recognised",
    **{f"matched_far_{far:g}": f"taken for the same person, FAR {far:g}" for far in FARS},
    "named": "named rightly",
}


@dataclass(frozen=True)
class Threat:
    """What one recogniser achieves in one of these ways.

    Attributes:
      photos, people: How many photos the figures are shares of, and of how many people.
      before, after: The `HARMS` that there are, by name, where nothing is protected and where it
        is; None without any photo.
      thresholds: Those that figures depend on, by the names of these.
      about: Further numbers that say what was done, by name.
    """

    photos: int
    people: int
    before: dict[str, Estimate | None]
    after: dict[str, Estimate | None]
    thresholds: dict[str, Threshold] = field(default_factory=dict)
    about: dict[str, int] = field(default_factory=dict)


def threats(
    judge: Judge,
    clean: Float[np.ndarray, "photos dim"],
    protected: Float[np.ndarray, "photos dim"],
) -> dict[str, Threat]:
    """All that needs no training, by name.

    Args:
      judge: the gallery as the recogniser sees it, whose roster says who is in each of the photos;
        further clean photos of their people may be in it.
      clean, protected: embeddings of the same photos, of any scale, in the roster's order.

    Raises:
      ValueError: an embedding is not finite, or all photos are of one person.
    """
    own, identities = judge.roster.own, judge.roster.identities
    theirs = np.isin(identities, own)
    others = judge.gallery[~theirs], identities[~theirs]
    missing = np.flatnonzero(~np.isin(own, identities))
    place = np.full(len(own), -1)  # of a photo itself, for whoever is not in the gallery
    place[missing] = len(identities) + np.arange(len(missing))
    copies = np.arange(len(own))
    # Whom a camera sees, and which photo of the gallery is the very same.
    seen = np.concatenate([clean, judge.gallery[theirs]])
    passers_by = np.concatenate([own, identities[theirs]])
    same = np.append(copies, np.full(len(seen) - len(own), -1))

    def search(probes):
        photos, people = (judge.gallery, identities), (clean[missing], own[missing])
        return _searched(judge, photos, people, probes, own, place)

    def enrolment(enrolled):
        return _searched(judge, (enrolled, own), others, seen, passers_by, same)

    def both(photos):
        return _searched(judge, (photos, own), others, photos, own, copies)

    known = {"recognised": judge.thresholds["recognised"]}
    return {
        "search": of_values(search(clean), search(protected), own, known),
        "verification": _verification(judge, clean, protected),
        "enrolment": of_values(enrolment(clean), enrolment(protected), passers_by, known),
        "both": of_values(both(clean), both(protected), own, known),
    }


def of_values(
    before: Mapping[str, Float[np.ndarray, " photos"]],
    after: Mapping[str, Float[np.ndarray, " photos"]],
    people: Int[np.ndarray, " photos"],
    thresholds: Mapping[str, Threshold] | None = None,
    about: Mapping[str, int] | None = None,
) -> Threat:
    """Shares of the photos that have values; before and after they are the same ones.

    Args:
      before, after: numbers in [0, 1] by the names of `HARMS`, NaN for photos that take no part.
      people: who is in each photo.
    """
    there = ~np.isnan(next(iter(after.values())))
    return Threat(
        photos=int(there.sum()),
        people=len(np.unique(people[there])),
        before={name: share(values, people) for name, values in before.items()},
        after={name: share(values, people) for name, values in after.items()},
        thresholds=dict(thresholds or {}),
        about=dict(about or {}),
    )


def _searched(judge: Judge, first, then, probes, own, excluded) -> dict[str, np.ndarray]:
    """What becomes of probes in a gallery of two parts, each of photos and of who is in them."""
    gallery, identities = map(np.concatenate, zip(first, then, strict=True))
    roster = Roster(identities, np.arange(len(gallery)), own, np.zeros(0, int), excluded)
    judge = replace(judge, roster=roster, gallery=gallery)
    values = judge.values(judge.standings(probes))
    return {
        "found_first": 1 - values["rank1_ut"],
        "found_in_five": 1 - values["rank5_ut"],
        "recognised": values["recognised"],
    }


def _verification(judge: Judge, clean, protected) -> Threat:
    """Of each photo the share of the person's other clean photos that it is taken to match.

    Thresholds are those that whoever compares would choose: by the impostors among all the faces at
    hand, unprotected.
    """
    own = judge.roster.own
    faces = np.concatenate([clean, judge.gallery])
    people = np.concatenate([own, judge.roster.identities])
    chosen = impostor_threshold(faces, people, FARS)
    rates = false_match_rates(faces, people, chosen)
    unit = _unit(faces)

    def matched(rows):
        values = np.full((len(FARS), len(own)), np.nan)
        for photo, row in enumerate(_unit(rows)):
            others = people == own[photo]
            others[photo] = False
            if others.any():
                accepted = unit[others] @ row >= chosen[:, None]
                values[:, photo] = accepted.mean(axis=1)
        return {f"matched_far_{far:g}": one for far, one in zip(FARS, values, strict=True)}

    thresholds = {
        f"matched_far_{far:g}": Threshold(float(cosine), rate)
        for far, cosine, rate in zip(FARS, chosen, rates, strict=True)
    }
    return of_values(matched(clean), matched(protected), own, thresholds)


def _unit(embeddings) -> Float[np.ndarray, "rows dim"]:
    embeddings = np.asarray(embeddings, np.float32)
    length = np.linalg.norm(embeddings, axis=1, keepdims=True)
    return embeddings / np.where(length > 0, length, 1)
