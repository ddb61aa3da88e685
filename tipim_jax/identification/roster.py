"""Who is who among the faces of an identification, and which of them are searched."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int


@dataclass(frozen=True, eq=False)
class Roster:
    """People as numbers; the same for every recogniser.

    The faces are those of the gallery, of the targets and of the unprotected probes, one behind the
    other.

    Attributes:
      people: Number of the person in each face.
      searched: Faces that make up the gallery that is searched.
      own: Number of each probe's person.
      targets: Numbers of the people whom the probes shall be taken for.
      excluded: For each probe the place in `searched` of an image that is not searched for it, its
        own unprotected photo; -1 for none.
    """

    people: Int[np.ndarray, " faces"]
    searched: Int[np.ndarray, " images"]
    own: Int[np.ndarray, " probes"]
    targets: Int[np.ndarray, " targets"]
    excluded: Int[np.ndarray, " probes"]

    @classmethod
    def of(
        cls,
        gallery: Sequence[Hashable],
        targets: Sequence[Hashable],
        probes: Sequence[Hashable],
        *,
        complete: bool = False,
    ) -> "Roster":
        """Numbers the people.

        Args:
          gallery, targets, probes: whom each face shows, equal for faces of one person.
          complete: add to the gallery who is not in it. A probe whose person is not there is
            searched for among the other probes' unprotected photos of that person, or, if there is
            none, with its own in the gallery: the hardest case. A target that is not there is there
            with the image that masks are made with.
        """
        everybody = [*gallery, *targets, *probes]
        number = {person: n for n, person in enumerate(dict.fromkeys(everybody))}
        people = np.array([number[person] for person in everybody], int)
        first = len(gallery) + len(targets)
        searched = np.arange(len(gallery))
        excluded = np.full(len(probes), -1)
        if complete:
            missing = ~np.isin(people, people[: len(gallery)])
            searched = np.append(searched, np.flatnonzero(missing[len(gallery) :]) + len(gallery))
            images = np.bincount(people[searched], minlength=len(number))
            for place, face in enumerate(searched):
                if face >= first and images[people[face]] > 1:
                    excluded[face - first] = place
        return cls(
            people=people,
            searched=searched,
            own=people[first:],
            targets=np.unique(people[len(gallery) : first]),
            excluded=excluded,
        )

    @property
    def identities(self) -> Int[np.ndarray, " images"]:
        """Number of the person in each image of the gallery."""
        return self.people[self.searched]
