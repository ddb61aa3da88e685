"""The photos that a scoreboard is about, laid out in folders as somebody would have them."""

import hashlib
import json
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tipim_jax.datasets import FaceSet, Protocol, Roles, bundled, paper, people
from tipim_jax.datasets.lfw import LfwPhoto
from tipim_jax.photos import write_whole

# People of whom all photos are protected, as whoever trains a classifier on them has several.
ALBUMS = 20
_DONE = "set.json"


@dataclass(frozen=True)
class Photos:
    """Folders of photos, below each of which there is one for each person.

    Attributes:
      name: Of the set.
      about: What it is, in words.
      digest: Stands for which photos are what.
      probes: One photo of each protected person, which is searched for.
      others: Further photos of the same people: one of each, and all of some.
      gallery: What is searched; holds `others`, too.
      targets: One photo of each person whom masks imitate.
    """

    name: str
    about: str
    digest: str
    probes: Path
    others: Path
    gallery: Path
    targets: Path

    @property
    def protected(self) -> Path:
        """The folder of `probes` and `others`."""
        return self.probes.parent


def bundled_people(root: Path, probes: int) -> Photos:
    """The bundled people, who do not exist; the first of the demonstration's."""
    faces = FaceSet.bundled()
    drawn = people(0, probes=min(probes, len(faces.people) - len(bundled.TARGETS)))
    return _laid_out(root / "people", "people", faces, drawn)


def lfw(root: Path, place: Path, roles: Path | None, probes: int) -> Photos:
    """LFW in the paper's protocol; the last probes, since settings are chosen on the first."""
    faces = FaceSet.lfw(place)
    drawn = paper(faces, 0, Roles.read(roles) if roles else None)
    own, others = drawn.probes[-probes:], {probe.person for probe in drawn.probes[:-probes]}
    gallery = tuple(photo for photo in drawn.gallery if photo.person not in others)
    last = Protocol(drawn.name, drawn.seed, own, drawn.targets, gallery)
    return _laid_out(root / "lfw", "lfw", faces, last)


def _laid_out(root: Path, name: str, faces: FaceSet, protocol: Protocol) -> Photos:
    own = {photo.person for photo in protocol.probes}
    further = [photo for photo in protocol.gallery if photo.person in own]
    albums = [person for person, _ in Counter(p.person for p in further).most_common(ALBUMS)]
    first = {photo.person: photo for photo in reversed(further)}
    others = [p for p in further if p.person in albums or first[p.person] == p]
    parts = {
        "clean/probes": protocol.probes,
        "clean/others": others,
        "gallery": protocol.gallery,
        "targets": protocol.targets,
    }
    record = {part: [str(photo) for photo in photos] for part, photos in parts.items()}
    done = root / _DONE
    if not (done.is_file() and json.loads(done.read_text()) == record):
        for part, photos in parts.items():
            shutil.rmtree(root / part, ignore_errors=True)
            for photo in photos:
                _write(root / part, photo, faces.read(photo))
        with write_whole(done) as stream:
            stream.write(json.dumps(record, indent=1).encode())
    about = (
        f"{faces.origin}: {len(protocol.probes)} probes, {len(others)} further photos of the same "
        f"people, a gallery of {len(protocol.gallery)} photos"
    )
    folders = (root / part for part in parts)
    digest = hashlib.sha256(json.dumps(record).encode()).hexdigest()
    return Photos(name, about, digest, *folders)


def _write(folder: Path, photo: LfwPhoto, content: bytes) -> None:
    place = folder / photo.person
    place.mkdir(parents=True, exist_ok=True)
    with write_whole(place / f"{photo}.jpg") as stream:
        stream.write(content)
