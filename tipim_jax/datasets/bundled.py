"""The bundled people, none of whom exists: 70 synthetic identities with 3 photos each.

They are the product's default targets, gallery and demonstration. Ten are target identities: their
first photo is optimised towards, their others are in the gallery, as in the paper's protocol (an
optimisation image is never searched among). Of twenty others the first photo is protected in the
demonstration, and everybody's other photos are in its gallery. See data/people/README.md for their
origin.
"""

from pathlib import Path

FOLDER = Path(__file__).parents[1] / "data" / "people"
# The last ten by number; nothing else distinguishes them.
TARGETS = tuple(f"Person_{number:03d}" for number in range(61, 71))

# Adults by their looks, of all kinds that there are among these people; no more, so that somebody
# who tries the command waits minutes and not a quarter of an hour.
DEMONSTRATION = tuple(
    f"Person_{number:03d}"
    for number in (2, 4, 12, 14, 15, 19, 21, 24, 28, 29, 31, 32, 37, 43, 47, 54, 55, 57, 59, 60)
)


def photos(identity: str) -> list[Path]:
    """The photos of one bundled person, first photo first."""
    return sorted((FOLDER / identity).glob("*.jpg"))


def identities() -> list[str]:
    """All 70 names, sorted."""
    return sorted(folder.name for folder in FOLDER.iterdir() if folder.is_dir())


def target_photos() -> dict[str, Path]:
    """One photo of each target identity, for the optimisation."""
    return {identity: photos(identity)[0] for identity in TARGETS}


def demonstration_photos() -> list[Path]:
    """One photo of each identity that is protected in the demonstration."""
    return [photos(identity)[0] for identity in DEMONSTRATION]


def gallery_photos() -> list[tuple[str, Path]]:
    """(identity, photo) of all photos but everybody's first, protected or optimised towards."""
    return [(identity, photo) for identity in identities() for photo in photos(identity)[1:]]
