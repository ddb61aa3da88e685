"""Puts together what is known of the saved photos: the results and the report's pictures."""

import dataclasses
import datetime
import importlib.metadata
import platform
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import jax
import numpy as np
from jaxtyping import Float

from tipim_jax import report
from tipim_jax.attack.gallery import Identity, identities
from tipim_jax.attack.saved import ProtectedPhoto, SavedPhoto, read_back
from tipim_jax.attack.settings import Attack
from tipim_jax.backend import on_the_cpu
from tipim_jax.engine.threads import Crew, ahead, threads
from tipim_jax.identification import (
    Judge,
    PhotoFaces,
    Recogniser,
    Roster,
    embed,
    kept_embeddings,
    normalise,
    own_threshold,
)
from tipim_jax.identification.faces import PhotoFace
from tipim_jax.photos import FaceDetector, PhotoError
from tipim_jax.progress import Bars

_PACKAGES = ("tipim-jax", "jax", "jaxlib", "flax", "optax", "dm-pix", "opencv-python-headless")


@dataclasses.dataclass(frozen=True, eq=False)
class Measured:
    """What was found out about the saved photos.

    Attributes:
      photos: One entry for each photo, in order, with one for each of its faces.
      failed: Photos that could not be read back.
      recognisers: What each network makes of them.
      gallery: What was searched.
      quality: Over all faces.
      pictures: Pictures of each photo's faces, by the photo's `output`.
    """

    photos: tuple[report.Photo, ...]
    failed: tuple[report.NotProtected, ...]
    recognisers: tuple[report.RecogniserResult, ...]
    gallery: report.GalleryResult
    quality: report.Quality
    pictures: Mapping[str, Sequence[report.FacePictures]]


def measure(
    photos: Sequence[ProtectedPhoto],
    recognisers: Mapping[str, Recogniser],
    targets: PhotoFaces,
    gallery: PhotoFaces,
    detector: FaceDetector,
    *,
    surrogates: Collection[str],
    gallery_origin: str | None,
    epsilon: float,
    output: Path,
    bars: Bars,
) -> Measured:
    """Reads the protected photos back, beside an accelerator many at once, and has each judged.

    Args:
      photos: what was protected.
      recognisers: networks that judge, by name.
      targets: one face of each person whom masks imitate.
      gallery: what is searched; photos whose person is not in it are added, see `Roster.of`.
      detector: finds the faces in the saved photos.
      surrogates: names of the networks that the masks were made with.
      gallery_origin: where the gallery comes from, in words, if the people in it may be in the
        photos; None for the bundled people: nobody of them exists, and likeness to one is chance.
      epsilon: the greatest change of a pixel that was allowed.
      output: folder that the saved photos are in.
      bars: for progress.
    """
    known = [
        kept_embeddings(recognisers, faces, bars.add(f"embedding the {what}", len(faces), "faces"))
        for what, faces in (("gallery", gallery), ("targets", targets))
    ]
    album = _Album(photos, detector, bars)
    shown = embed(recognisers, album.faces())
    there = np.array([found for photo in album.saved for found in photo.found], bool)
    is_protected = np.array(album.is_protected, bool)
    clean = {name: found[~is_protected] for name, found in shown.items()}
    protected = {name: found[is_protected] for name, found in shown.items()}

    names = _identities(album.saved, recognisers, clean, known, gallery, targets, gallery_origin)
    roster = Roster.of(gallery.people, targets.people, names, complete=True)
    results, scores = [], {}
    for name, recogniser in recognisers.items():
        faces = np.concatenate([*(part[name] for part in known), clean[name]])
        judge = Judge.of(recogniser.network, roster, faces)
        before = judge.standings(clean[name])
        after = before.lost_but(there, judge.standings(protected[name], there))
        threshold = judge.thresholds["recognised"]
        results.append(
            report.RecogniserResult(
                name,
                recogniser.network.architecture,
                name not in surrogates,
                threshold.cosine,
                threshold.false_match_rate,
                *(report.Rates.of(judge, found) for found in (before, after)),
            )
        )
        both = map(report.Standing.each, (before, after))
        scores[name] = [report.Scores(*pair) for pair in zip(*both, strict=True)]

    listed = _photos(album.saved, names, scores, output)
    faces = [face for photo in listed for face in photo.faces]
    return Measured(
        photos=tuple(listed),
        failed=tuple(album.failed),
        recognisers=tuple(results),
        gallery=report.GalleryResult(
            gallery_origin or "bundled people",
            len(roster.searched),
            len(np.unique(roster.identities)),
        ),
        quality=report.Quality(
            _mean([face.psnr for face in faces]),
            _mean([face.ssim for face in faces]),
            _mean([face.dssim for face in faces]),
            max((face.dssim for face in faces if face.dssim is not None), default=None),
            epsilon,
            max((photo.difference for photo in album.saved), default=None),
        ),
        pictures={
            entry.output: photo.pictures
            for entry, photo in zip(listed, album.saved, strict=True)
            if photo.pictures
        },
    )


class _Album:
    """Shows the faces of protected photos, and notes what else is to be known of these.

    Attributes:
      saved: Photos that could be read.
      failed: The others.
      is_protected: Of each face that was shown, whether that was in the protected photo.
    """

    def __init__(self, photos: Sequence[ProtectedPhoto], detector: FaceDetector, bars: Bars):
        self.saved: list[SavedPhoto] = []
        self.failed: list[report.NotProtected] = []
        self.is_protected: list[bool] = []
        self._photos, self._detector = photos, detector
        self._advance = bars.add("measuring", len(photos), "photos")

    def faces(self) -> Iterator[PhotoFace]:
        """Each face as it was and, where it is found, as it is now: photo after photo."""
        crew = Crew.here()
        with threads(crew.readers, one_core_each=crew.one_core_each) as pool:
            read = map(self._read, self._photos)
            if crew.readers > 1:
                read = ahead(self._read, self._photos, pool, crew.readers)
            for found in read:
                yield from self._noted(*found)
                self._advance(1)

    def _read(self, photo: ProtectedPhoto):
        """The photo and what `read_back` gives or raises."""
        pictures = len(self.saved) < report.MOST_PHOTOS
        try:
            with on_the_cpu():
                return photo, *read_back(photo, self._detector, with_pictures=pictures)
        except PhotoError as error:  # moved or deleted meanwhile
            return photo, error, (), ()

    def _noted(self, photo, saved, before, after) -> Iterator[PhotoFace]:
        if isinstance(saved, PhotoError):
            self.failed.append(report.NotProtected(str(photo.file.relative), str(saved)))
            return
        self.saved.append(saved)
        for faces in (before, after):
            for face in filter(None, faces):
                self.is_protected.append(faces is after)
                yield face


def _identities(
    saved: Sequence[SavedPhoto],
    recognisers: Mapping[str, Recogniser],
    clean: Mapping[str, Float[np.ndarray, "faces dim"]],
    known: Sequence[Mapping[str, Float[np.ndarray, "some dim"]]],
    gallery: PhotoFaces,
    targets: PhotoFaces,
    gallery_origin: str | None,
) -> list[Identity]:
    """Whose the faces in the photos are."""
    people = np.unique((*gallery.people, *targets.people), return_inverse=True)[1]
    named = gallery.people if gallery_origin else ()
    cosines, thresholds = [], []
    for name, recogniser in recognisers.items():
        both = np.concatenate([part[name] for part in known])
        thresholds.append(own_threshold(recogniser.network, both, people))
        probes = np.asarray(normalise(clean[name]))
        others = np.asarray(normalise(both[: len(named)]))
        cosines.append(probes @ np.concatenate([probes, others]).T)
    files = [photo.photo.file for photo in saved]
    faces = [number for number, photo in enumerate(saved) for _ in photo.found]
    return identities(files, faces, named, cosines, thresholds)


def _photos(
    saved: Sequence[SavedPhoto],
    names: Sequence[Identity],
    scores: Mapping[str, Sequence[report.Scores]],
    output: Path,
) -> list[report.Photo]:
    entries, number = [], 0
    for one in saved:
        faces = []
        for face, target, psnr, ssim, dssim in zip(
            one.photo.faces, one.photo.targets, one.psnr, one.ssim, one.dssim, strict=True
        ):
            faces.append(
                report.Face(
                    box=tuple(int(side) for side in face.box),
                    identity=name if isinstance(name := names[number], str) else None,
                    target=target,
                    psnr=psnr,
                    ssim=ssim,
                    dssim=dssim,
                    recognisers={network: each[number] for network, each in scores.items()},
                )
            )
            number += 1
        saved_as = str(one.photo.saved.relative_to(output))
        entries.append(
            report.Photo(str(one.photo.file.relative), saved_as, tuple(faces), one.left_out)
        )
    return entries


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def results(
    settings: Attack,
    command: str,
    targets: report.TargetResult,
    measured: Measured,
    missed: Sequence[report.NotProtected],
    left_alone: Sequence[report.LeftAlone],
    seconds: Mapping[str, float],
    work: Mapping[str, str | int],
) -> report.Results:
    """All that results.json holds."""
    devices = jax.devices()
    method = {
        name: tuple(map(str, value)) if isinstance(value, tuple) else value
        for name, value in dataclasses.asdict(settings.method).items()
    }
    return report.Results(
        created=datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        command=command,
        device=f"{devices[0].device_kind} ×{len(devices)}",
        versions={"python": platform.python_version()}
        | {package: _version(package) for package in _PACKAGES},
        settings={
            "preset": settings.preset,
            "seed": settings.seed,
            "format": settings.format,
            "metadata": settings.metadata,
            **work,
        }
        | method,
        surrogates=settings.surrogates,
        targets=targets,
        gallery=measured.gallery,
        recognisers=measured.recognisers,
        quality=measured.quality,
        seconds=dict(seconds),
        photos=measured.photos,
        not_protected=(*missed, *measured.failed),
        left_alone=tuple(left_alone),
    )


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:  # run from a checkout, say
        return "not installed"
