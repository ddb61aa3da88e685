"""Who is protected, who is imitated, and who is searched among: evaluation protocols as data.

A probe is the photo that is protected. A target is the photo of another person that the protection
is optimised towards. The gallery is what a protected photo is searched for in. The protocols are
those of Yang et al., "Towards Face Encryption by Generating Adversarial Identity Masks", ICCV 2021
(section 4.1), and of its reproduction by Liu and Bei, University of Waterloo.

A protocol is drawn from a seed, and is the same wherever and with whichever version of NumPy it is
drawn (see `draw`). Of each role, fewer people are the first of more: the 50 probes of a quick run
are among the 500 of the whole one, and its targets are the same.
"""

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tipim_jax.datasets import bundled
from tipim_jax.datasets.draw import Draw
from tipim_jax.datasets.face_set import FaceSet
from tipim_jax.datasets.lfw import LfwPhoto
from tipim_jax.photos import write_whole

_PHOTO = re.compile(r"(?P<person>[^/]+)_(?P<number>\d{4,9})", re.ASCII | re.DOTALL)
_PHOTOS = ("probes", "targets", "gallery")


class ProtocolError(ValueError):
    """A protocol that cannot be drawn, read or be; the message says why."""


@dataclass(frozen=True)
class Roles:
    """Who may be what; a person may be of several roles, and is drawn for one of them.

    Attributes:
      probes, targets, distractors: names of people; those who are not in a set are passed over.
    """

    probes: frozenset[str]
    targets: frozenset[str]
    distractors: frozenset[str]

    @classmethod
    def read(cls, file: Path) -> "Roles":
        """Reads lists of names: `{"probes": [...], "targets": [...], "distractors": [...]}`.

        Raises:
          ProtocolError: the file cannot be read or holds anything else.
        """
        fields = _read_fields(file, {"probes": list, "targets": list, "distractors": list})
        return cls(**{field: frozenset(names) for field, names in fields.items()})


@dataclass(frozen=True)
class Protocol:
    """One experiment's photos. Whose photo it is, is its `person`.

    Attributes:
      name: of the rules that it was drawn by.
      seed: that it was drawn from.
      probes: the photos to protect, one a person.
      targets: the photos to optimise towards, one a person.
      gallery: the photos to search among, sorted.
    """

    name: str
    seed: int
    probes: tuple[LfwPhoto, ...]
    targets: tuple[LfwPhoto, ...]
    gallery: tuple[LfwPhoto, ...]

    def __post_init__(self):
        """Checks what every protocol has to be.

        Raises:
          ProtocolError: there is no probe, target or gallery, a photo is listed twice, a person has
            two probes or two targets, a probe's photo is in the gallery, or a target's person is a
            probe.
        """
        for role in _PHOTOS:
            photos = getattr(self, role)
            if not photos:
                raise ProtocolError(f"protocol {self.name!r} has no {role}, expected one or more")
            names = photos if role == "gallery" else [photo.person for photo in photos]
            if twice := _first_repeated(names):
                raise ProtocolError(
                    f"{role} of protocol {self.name!r}: found {twice} twice, expected once"
                )
        if shared := sorted(set(self.probes) & set(self.gallery)):
            raise ProtocolError(
                f"protocol {self.name!r}: {len(shared)} probes are in the gallery too, the first "
                f"is {shared[0]}; a search would find the photo itself"
            )
        if shared := sorted({photo.person for photo in self.probes} & self.target_identities):
            raise ProtocolError(
                f"protocol {self.name!r}: {len(shared)} people are probe and target at once, the "
                f"first is {shared[0]}; nobody can be protected by being taken for himself"
            )

    @cached_property
    def target_identities(self) -> frozenset[str]:
        """The people who are imitated."""
        return frozenset(photo.person for photo in self.targets)

    @cached_property
    def photos(self) -> tuple[LfwPhoto, ...]:
        """All that have to be aligned, sorted, each one once."""
        return tuple(sorted({*self.probes, *self.targets, *self.gallery}))

    def write(self, file: Path) -> None:
        """Writes it as JSON, whole or not at all; a photo is its name: `A_Name_0001`."""
        fields = asdict(self) | {role: [*map(str, getattr(self, role))] for role in _PHOTOS}
        with write_whole(file) as stream:
            stream.write(json.dumps(fields, indent=1).encode() + b"\n")

    @classmethod
    def read(cls, file: Path) -> "Protocol":
        """Reads what `write` wrote.

        Raises:
          ProtocolError: the file cannot be read, holds anything else, or is no protocol.
        """
        fields = _read_fields(file, {"name": str, "seed": int} | dict.fromkeys(_PHOTOS, list))
        for role in _PHOTOS:
            fields[role] = tuple(_photo(file, role, name) for name in fields[role])
        try:
            return cls(**fields)
        except ProtocolError as error:
            raise ProtocolError(f"{file}: {error}") from None


def paper(
    faces: FaceSet,
    seed: int,
    roles: Roles | None = None,
    *,
    probes: int = 500,
    targets: int = 10,
    distractors: int = 500,
) -> Protocol:
    """The paper's: what a target is optimised towards is not in the gallery.

    Of each protected person a random photo is the probe and the others are in the gallery; of each
    target person a random photo is optimised towards and the others are in the gallery; all photos
    of the distractors are. So a probe or a target has two photos or more.

    Args:
      faces: the set that it is drawn from.
      seed: not negative.
      roles: who may be what; None lets everybody be anything.
      probes, targets, distractors: how many people.

    Raises:
      ProtocolError: the set has too few people, or a number is too small.
    """
    counts = {"targets": targets, "probes": probes, "distractors": distractors}
    return _drawn("paper", faces, seed, roles, counts)


def reproduction(
    faces: FaceSet,
    seed: int,
    roles: Roles | None = None,
    *,
    probes: int = 50,
    targets: int = 10,
    distractors: int = 0,
) -> Protocol:
    """The reproduction's: the targets' optimisation photos are in the gallery, which is easier.

    Its authors state that, and the numbers of protected people and targets. Not stated, and here as
    in the paper's protocol: who they are, that the photos are random, and that the gallery has all
    other photos of both. Nor do they speak of further people, so there are none unless asked for.

    Arguments and errors are those of `paper`.
    """
    counts = {"targets": targets, "probes": probes, "distractors": distractors}
    return _drawn("reproduction", faces, seed, roles, counts, optimised_in_gallery=True)


def people(seed: int, *, probes: int = 60, targets: int = 10) -> Protocol:
    """The paper's rules for the bundled people; the targets are those of `bundled`.

    There, the first photo of a person is the probe or target; here it is drawn.

    Raises:
      ProtocolError: they are too few, or a number is too small.
    """
    faces = FaceSet.bundled()
    wanted = frozenset(bundled.TARGETS)
    roles = Roles(frozenset(faces.people) - wanted, wanted, frozenset())
    counts = {"targets": targets, "probes": probes, "distractors": 0}
    return _drawn("people", faces, seed, roles, counts)


def _drawn(
    name: str,
    faces: FaceSet,
    seed: int,
    roles: Roles | None,
    counts: dict[str, int],
    *,
    optimised_in_gallery: bool = False,
) -> Protocol:
    if seed < 0:
        raise ProtocolError(f"seed is {seed}, expected 0 or more")
    drawn: dict[str, list[str]] = {}
    # Targets come first, so that the number of probes does not change who they are.
    for role in ("targets", "probes", "distractors"):
        taken = {person for persons in drawn.values() for person in persons}
        allowed = faces.people.keys() if roles is None else getattr(roles, role)
        drawn[role] = _people(faces, seed, role, counts[role], allowed - taken)
    targets = _one_of_each(faces, drawn["targets"], Draw(seed, "targets: photos"))
    probes = _one_of_each(faces, drawn["probes"], Draw(seed, "probes: photos"))
    persons = [person for persons in drawn.values() for person in persons]
    gallery = {photo for person in persons for photo in faces.people[person]}
    gallery -= {*probes} if optimised_in_gallery else {*probes, *targets}
    return Protocol(name, seed, probes, targets, tuple(sorted(gallery)))


def _people(
    faces: FaceSet, seed: int, role: str, count: int, allowed: Collection[str]
) -> list[str]:
    """Draws people for a role; one of whom a photo is needed in the gallery too has two or more."""
    fewest, photos_needed = (0, 1) if role == "distractors" else (1, 2)
    if count < fewest:
        raise ProtocolError(f"{role} is {count}, expected {fewest} or more")
    pool = [
        person
        for person, photos in faces.people.items()  # sorted
        if person in allowed and len(photos) >= photos_needed
    ]
    if len(pool) < count:
        photos = " with two photos or more" if photos_needed == 2 else ""
        raise ProtocolError(
            f"{faces.origin}: found {len(pool)} people{photos} that may be {role}, needed {count}; "
            f"ask for fewer (`--{role} {len(pool)}`) or give more photos"
        )
    return Draw(seed, f"{role}: people").sample(pool, count)


def _one_of_each(faces: FaceSet, persons: Sequence[str], draw: Draw) -> tuple[LfwPhoto, ...]:
    return tuple(draw.sample(faces.people[person], 1)[0] for person in persons)


def _first_repeated(names: Sequence[Any]) -> Any:
    seen = set()
    return next((name for name in names if name in seen or seen.add(name)), None)


def _read_fields(file: Path, kinds: dict[str, type]) -> dict[str, Any]:
    """The fields of a JSON file, which are those and of those kinds; lists are of texts."""
    try:
        fields = json.loads(file.read_bytes())
    except OSError as error:
        raise ProtocolError(f"cannot read {file}: {error.strerror}") from None
    except ValueError as error:
        raise ProtocolError(f"{file} is no JSON ({error}); expected {_expected(kinds)}") from None
    if not isinstance(fields, dict) or fields.keys() != kinds.keys():
        found = ", ".join(map(repr, fields)) if isinstance(fields, dict) else type(fields).__name__
        raise ProtocolError(f"{file}: found {found or 'nothing'}, expected {_expected(kinds)}")
    for field, kind in kinds.items():
        value = fields[field]
        texts = kind is not list or all(isinstance(item, str) for item in value)
        if type(value) is not kind or not texts:
            what = "a list of texts" if kind is list else kind.__name__
            raise ProtocolError(f"{file}, {field}: found {str(value)[:80]}, expected {what}")
    return fields


def _expected(kinds: dict[str, type]) -> str:
    return f"an object of {', '.join(map(repr, kinds))}"


def _photo(file: Path, role: str, name: str) -> LfwPhoto:
    match = _PHOTO.fullmatch(name)
    if match is None:
        raise ProtocolError(f"{file}, {role}: found {name!r}, expected a photo such as A_Name_0001")
    return LfwPhoto(match["person"], int(match["number"]))
