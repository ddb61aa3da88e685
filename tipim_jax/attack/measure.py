"""Puts together what is known of the saved photos: the results and the report's pictures."""

import dataclasses
import datetime
import importlib.metadata
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path

import jax
import numpy as np

from tipim_jax import report
from tipim_jax.attack.gallery import Portraits, ProbeFace, probe_faces
from tipim_jax.attack.judge import SavedPhoto, Search, read_back, scores
from tipim_jax.attack.scan import ScannedPhoto
from tipim_jax.attack.settings import Attack
from tipim_jax.identification import impostor_threshold, normalise
from tipim_jax.identification.recogniser import Recogniser
from tipim_jax.networks import Network
from tipim_jax.photos import FaceDetector, PhotoError
from tipim_jax.progress import Bars

_PACKAGES = ("tipim-jax", "jax", "jaxlib", "flax", "optax", "dm-pix", "opencv-python-headless")
_FAR = 1e-3  # false accept rate at which a network without a threshold accepts


@dataclasses.dataclass(frozen=True, eq=False)
class Measured:
    """What was found out about the saved photos.

    Attributes:
      photos: one entry for each photo, in order, with one for each of its faces.
      failed: photos that could not be read back.
      recognisers: the rates of each network.
      gallery: what was searched.
      quality: over all faces.
      pictures: of each photo's faces, by the photo's `output`.
    """

    photos: tuple[report.Photo, ...]
    failed: tuple[report.NotProtected, ...]
    recognisers: tuple[report.Recogniser, ...]
    gallery: report.Gallery
    quality: report.Quality
    pictures: Mapping[str, Sequence[report.FacePictures]]


def measure(
    settings: Attack,
    recognisers: Mapping[str, Recogniser],
    surrogates: Mapping[str, Recogniser],
    targets: Portraits,
    gallery: Portraits,
    photos: Sequence[ScannedPhoto],
    outputs: Mapping[Path, Path],
    detector: FaceDetector,
    bars: Bars,
) -> Measured:
    """Reads the protected photos back and shows them to every recogniser."""
    saved, readable, failed = [], [], []
    progress = bars.add("reading back", len(photos), "photos")
    for photo in photos:
        target = outputs[photo.file.source]
        try:
            shown = len(saved) < report.MOST_PHOTOS
            again = read_back(photo, target, detector, with_pictures=shown)
        except PhotoError as error:  # moved or deleted meanwhile
            failed.append(report.NotProtected(str(photo.file.relative), str(error)))
        else:
            saved.append(again)
            readable.append(photo)
        progress(1)
    photos = readable

    clean = [face.crop for photo in photos for face in photo.faces]
    found = [crop for photo in saved for crop in photo.found]
    there = [n for n, crop in enumerate(found) if crop is not None]
    crops = np.concatenate([gallery.crops, targets.crops, *(crop[None] for crop in clean)])
    crops = np.concatenate([crops, *(found[n][None] for n in there)])
    asked = recognisers | surrogates
    progress = bars.add("asking the recognisers", len(asked), "networks")
    before, after = {}, {}
    for name, recogniser in asked.items():
        embeddings = recogniser(crops)
        before[name], last = np.split(embeddings, [len(embeddings) - len(there)])
        after[name] = [None] * len(found)
        for n, embedding in zip(there, last, strict=True):
            after[name][n] = embedding
        progress(1)

    thresholds = {
        name: _threshold(recogniser.network, before[name], gallery.names + targets.names)
        for name, recogniser in recognisers.items()
    }
    probes = _probes(settings, thresholds, before, gallery, photos, len(clean))
    identities = [probe.identity for probe in probes]
    search = Search.of(gallery.names, targets.names, identities)
    standing = {name: scores(search, before[name], after[name]) for name in recognisers}
    target_rows = slice(len(gallery.crops), len(gallery.crops) + len(targets.crops))
    imitated = _nearest_targets(
        targets.names, [(before[name][target_rows], after[name]) for name in surrogates]
    )

    faces = _faces(probes, saved, imitated, standing)
    names = [outputs[photo.file.source].relative_to(settings.output) for photo in photos]
    return Measured(
        photos=tuple(
            report.Photo(
                str(photo.file.relative),
                str(name),
                tuple(face for probe, face in zip(probes, faces, strict=True) if probe.photo == i),
            )
            for i, (photo, name) in enumerate(zip(photos, names, strict=True))
        ),
        failed=tuple(failed),
        recognisers=tuple(
            report.Recogniser(
                name,
                recogniser.network.architecture,
                name not in surrogates,
                thresholds[name],
                *report.rates(standing[name], thresholds[name]),
            )
            for name, recogniser in recognisers.items()
        ),
        gallery=report.Gallery(
            gallery.origin, len(search.rows), len(set(search.identities.tolist()))
        ),
        quality=report.Quality(
            _mean([face.psnr for face in faces]),
            _mean([face.ssim for face in faces]),
            settings.method.epsilon,
            max((photo.difference for photo in saved), default=None),
        ),
        pictures={
            str(name): photo.pictures
            for name, photo in zip(names, saved, strict=True)
            if photo.pictures
        },
    )


def results(
    settings: Attack,
    command: str,
    targets: Portraits,
    measured: Measured,
    missed: Sequence[report.NotProtected],
    seconds: Mapping[str, float],
    work: Mapping[str, str],
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
        | {package: importlib.metadata.version(package) for package in _PACKAGES},
        settings={
            "preset": settings.preset,
            "seed": settings.seed,
            "batch_size": settings.batch_size,
            "format": settings.format,
            "keep_metadata": settings.keep_metadata,
            **work,
        }
        | method,
        surrogates=settings.surrogates,
        targets=report.Targets(targets.origin, tuple(dict.fromkeys(targets.names))),
        gallery=measured.gallery,
        recognisers=measured.recognisers,
        quality=measured.quality,
        seconds=dict(seconds),
        photos=measured.photos,
        not_protected=(*missed, *measured.failed),
    )


def _threshold(network: Network, embeddings, known: Sequence[str]) -> float:
    """The registry's, or one that others publish; of a network without, what the known faces give.

    Args:
      embeddings: of the gallery, the targets and more.
      known: who is in the first of them.
    """
    if network.threshold is not None:
        return network.threshold
    if network.published_thresholds:
        return network.published_thresholds[0].cosine
    identities = np.unique(known, return_inverse=True)[1]
    return float(impostor_threshold(embeddings[: len(known)], identities, _FAR))


def _probes(settings, thresholds, embeddings, gallery, photos, faces) -> list[ProbeFace]:
    """The given faces, named by who is in a gallery that the user gave.

    A likeness to somebody in the bundled gallery is chance: nobody there exists.
    """
    names = gallery.names if settings.gallery else ()
    cosines = []
    for name in thresholds:
        unit = np.asarray(normalise(embeddings[name]))
        probes, others = unit[len(unit) - faces :], unit[: len(names)]
        cosines.append(probes @ np.concatenate([probes, others]).T)
    return probe_faces(photos, names, cosines, [*thresholds.values()])


def _nearest_targets(names: Sequence[str], seen) -> list[str | None]:
    """The target that each saved face is nearest to, by the mean cosine of the surrogates.

    Args:
      names: of the targets.
      seen: from each surrogate the embeddings of the targets, and those of the saved faces.
    """
    nearest = []
    for faces in zip(*(faces for _, faces in seen), strict=True):
        if faces[0] is None:
            nearest.append(None)
            continue
        cosines = [
            normalise(targets) @ normalise(face)
            for (targets, _), face in zip(seen, faces, strict=True)
        ]
        nearest.append(names[int(np.mean(cosines, axis=0).argmax())])
    return nearest


def _faces(
    probes: Sequence[ProbeFace],
    saved: Sequence[SavedPhoto],
    imitated: Sequence[str | None],
    standing: Mapping[str, Sequence[report.Scores]],
) -> list[report.Face]:
    psnr = [value for photo in saved for value in photo.psnr]
    ssim = [value for photo in saved for value in photo.ssim]
    return [
        report.Face(
            box=tuple(int(side) for side in probe.face.box),
            identity=probe.name,
            target=imitated[n],
            psnr=psnr[n],
            ssim=ssim[n],
            recognisers={name: each[n] for name, each in standing.items()},
        )
        for n, probe in enumerate(probes)
    ]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
