"""Somebody trains a linear classifier on embeddings of photos, and shows it others.

It tells up to 20 people apart: up to 10 of those whose photos are protected, who have most photos,
and others, of whom there are clean photos. Each photo of the ten is shown once, to a classifier
that was trained without it: photos are dealt out to three parts, so that of 15 photos of a person
10 are trained with and 5 are shown. (The protocol of `fawkes`: 10 and 10 people of LFW, 10 photos
and 5 of each.) Of a person with more photos so many count, the first ones.

  classifier           trained on clean photos, shown a protected one
  classifier-enrolled  trained on the ten people's protected photos, shown a clean one
  adaptive             trained on clean photos and on protected ones of everybody but of the person
                       whose protected photo it is shown
  adaptive-self        the same, with protected copies of the person's other photos, too: whoever
                       has the tool makes them of the clean ones
"""

import warnings

import numpy as np
from jaxtyping import Float, Int

from tipim_jax.identification.cosine import normalise
from tipim_jax.identification.judge import Judge
from tipim_jax.identification.threats import Threat, of_values

_PEOPLE = 20
_SHOWN_PEOPLE = 10
_PARTS = 3
_TRAINED = 10  # photos of a person
_PHOTOS = 15
# Inverse strength of the ridge penalty. Of unit vectors scikit-learn's own, 1, leaves little.
_C = 10.0


def classifier_threats(
    judge: Judge,
    clean: Float[np.ndarray, "photos dim"],
    protected: Float[np.ndarray, "photos dim"],
) -> dict[str, Threat]:
    """Shares of the photos that are given their person's name; arguments as of `threats.threats`.

    Clean photos in the gallery are trained with, too. Whoever has a single protected photo and none
    there takes no part, nor, where protected photos of the person are to be trained with, whoever
    has a single one. `about` says how many people were told apart (`classes`), and with how many
    photos of a person the first classifier was trained.

    Returns:
      Nothing where there are not two people with photos enough.

    Raises:
      ImportError: scikit-learn is not installed.
    """
    # Imported now: they belong to an extra, and take a second.
    from threadpoolctl import threadpool_limits

    album = _Album(judge, clean, protected)
    if not len(album.shown) or len(album.people) < 2:
        return {}
    everybody, shown = set(album.people), set(album.shown)
    with threadpool_limits(1):  # for so small a matter threads only wait for each other
        before = album.named(album.faces, everybody, set())
        after = {
            "classifier": album.named(album.protected, everybody, set()),
            "classifier-enrolled": album.named(album.faces, everybody - shown, shown),
            "adaptive": _adaptive(album),
            "adaptive-self": album.named(album.protected, everybody, everybody),
        }
    trained = [len(album.trained(person, part=0)) for person in album.people]
    about = {
        "classes": len(everybody),
        "trained_least": min(trained),
        "trained_most": max(trained),
    }
    return {
        name: of_values(
            {"named": np.where(np.isnan(values), np.nan, before)},
            {"named": values},
            judge.roster.own,
            about=about,
        )
        for name, values in after.items()
    }


def _adaptive(album) -> Float[np.ndarray, " photos"]:
    """To each person's photos a classifier of its own."""
    everybody = set(album.people)
    each = [
        album.named(album.protected, everybody, everybody - {person}, only=person)
        for person in album.shown
    ]
    return np.fmax.reduce(each)  # what is not NaN


class _Album:
    """All photos, and the people among them who are told apart.

    Attributes:
      faces: Unit embeddings of clean photos: of those that are protected, then of the gallery.
      protected: Unit embeddings of the protected copies.
      shown: Numbers of the people whose photos are protected and shown.
      people: Numbers of all who are told apart.
    """

    def __init__(self, judge: Judge, clean, protected):
        own = judge.roster.own
        self.faces = np.asarray(normalise(np.concatenate([clean, judge.gallery])))
        self.protected = np.asarray(normalise(np.asarray(protected)))
        self._who = np.concatenate([own, judge.roster.identities])
        people, photos = np.unique(self._who, return_counts=True)
        order = np.argsort(-photos, kind="stable")
        eligible = np.isin(people[order], own) & (photos[order] > 1)
        self.shown = people[order][eligible][:_SHOWN_PEOPLE].tolist()
        others = [person for person in people[order].tolist() if person not in self.shown]
        self.people = self.shown + others[: _PEOPLE - len(self.shown)]
        # Of each photo the part in which it is shown; -1 for never.
        self._part = np.full(len(self._who), -1)
        for person in self.shown:
            mine = np.flatnonzero(own == person)[:_PHOTOS]
            self._part[mine] = np.arange(len(mine)) % _PARTS

    def trained(self, person: int, part: int) -> Int[np.ndarray, " some"]:
        """Numbers of the photos of a person that are trained with where a part is shown."""
        return np.flatnonzero((self._who == person) & (self._part != part))[:_TRAINED]

    def named(
        self,
        faces: Float[np.ndarray, "_ dim"],
        clean_of: set[int],
        copies_of: set[int],
        only: int | None = None,
    ) -> Float[np.ndarray, " photos"]:
        """Whether each protected photo is given its person's name, 1 or 0; NaN if it is not shown.

        Args:
          faces: embeddings of what is shown.
          clean_of, copies_of: of whom clean photos and protected copies are trained with.
          only: the one person whose photos are shown; None for all.
        """
        count = len(self.protected)
        values = np.full(count, np.nan)
        for part in range(_PARTS):
            rows, labels = [], []
            able = set()  # those of whom there is what is to be trained with
            for person in self.people:
                numbers = self.trained(person, part)
                mine = [self.faces[numbers]] if person in clean_of else []
                copies = numbers[numbers < count]
                mine += [self.protected[copies]] if person in copies_of else []
                if all(map(len, mine)):
                    able.add(person)
                rows += mine
                labels += [person] * sum(map(len, mine))
            asked = (self._part[:count] == part) & np.isin(self._who[:count], list(able))
            asked &= only is None or self._who[:count] == only
            if asked.any() and len(set(labels)) > 1:
                said = _classifier(np.concatenate(rows), labels).predict(faces[:count][asked])
                values[asked] = said == self._who[:count][asked]
        return values


def _classifier(rows, labels):
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():  # that of few photos of many people there are few
        warnings.filterwarnings("ignore", "The number of unique classes")
        return LogisticRegression(C=_C, max_iter=1000).fit(rows, labels)
