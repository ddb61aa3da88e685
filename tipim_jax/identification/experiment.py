"""An identification experiment: who is searched for among whom, by which recognisers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from tipim_jax.identification.faces import Faces, Strangers
from tipim_jax.identification.judge import FARS, Judge, Recognition
from tipim_jax.identification.kept import kept_embeddings
from tipim_jax.identification.recogniser import Recogniser
from tipim_jax.identification.roster import Roster

# Of each recogniser, by its name, the embeddings of some faces.
Embeddings = Mapping[str, Float[np.ndarray, "faces dim"]]


@dataclass(frozen=True, eq=False)
class Experiment:
    """Who is searched for, and among whom.

    Attributes:
      probes: One face of each protected person, unprotected.
      targets: One face of each target, which masks are made with.
      gallery: What is searched.
      drawn: Number of embeddings of nobody that are added to the gallery (`drawn_distractors`).
      strangers: Faces that are added to it, of people who can only be in the way.
    """

    probes: Faces
    targets: Faces
    gallery: Faces
    drawn: int = 0
    strangers: Strangers | None = None

    @property
    def about(self) -> dict[str, Any]:
        """What a measurement has to say of the search: what makes it another than usual."""
        about = {}
        if self.strangers:
            about["distractor_photos"] = len(self.strangers)
        if self.drawn:
            about["drawn_distractors"] = self.drawn
        return about

    def judges(
        self,
        recognisers: Mapping[str, Recogniser],
        progress: Callable[[str, int], Callable[[float], None]],
        probes: Embeddings | None = None,
    ) -> dict[str, Judge]:
        """Shows the faces to recognisers, as far as they have not seen them before.

        Args:
          progress: gives, for what is shown and how many faces that are, what is called with the
            number of faces just done.
          probes: embeddings of the unprotected probes, where they are known already.

        Raises:
          ValueError: the gallery is of one person alone.
        """

        def seen(what, faces):
            return kept_embeddings(recognisers, faces, progress(what, len(faces)))

        parts = [seen("gallery", self.gallery), seen("targets", self.targets)]
        parts.append(seen("probes", self.probes) if probes is None else probes)
        strangers = seen("strangers", self.strangers) if self.strangers else {}
        roster = Roster.of(self.gallery.people, self.targets.people, self.probes.people)
        return {
            name: Judge.of(
                recogniser.network,
                roster,
                np.concatenate([part[name] for part in parts]),
                strangers=strangers.get(name),
                drawn=self.drawn,
                fars=FARS,
            )
            for name, recogniser in recognisers.items()
        }


def recognitions(
    judges: Mapping[str, Judge], probes: Embeddings, surrogates: tuple[str, ...]
) -> dict[str, Recognition]:
    """What each recogniser makes of the probes.

    Args:
      probes: embeddings of all of them, protected or not.
      surrogates: the networks that their masks were made with.
    """
    return {
        name: judge.recognition(judge.standings(probes[name]), held_out=name not in surrogates)
        for name, judge in judges.items()
    }
