"""How masks protect from networks that they were made without, each in turn, and after posting.

    python -m benchmarks.leave_one_out --lfw lfw.tgz --roles protocol.json --probes 50

Each network judges masks that were made against a method's surrogates without it: of the authors'
methods the best single surrogate, or, to judge that one, the second best; of this project's presets
their default ones. Shown are means over all networks, with 95 % intervals over the probes, and then
each network's own. Masks are made in whole photos; the saved files are judged, their faces found
anew. `posted`: the files scaled to 0.75 and compressed as JPEG 75. Seconds are those of one photo
among `--batch`; they hold no compilation where a method was run at several ε.

The probes are the last ones of the protocol, since settings were chosen on the first. Photos and
embeddings are kept in `--output`: a second run goes on. Without `--lfw` the faces are those of the
bundled people.
"""

import argparse
import dataclasses
import itertools
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from benchmarks import machine, table
from tipim_jax.console import Console
from tipim_jax.datasets.crops import CropCache
from tipim_jax.engine.defaults import SURROGATES as DEFAULT_SURROGATES
from tipim_jax.identification import (
    FIGURES,
    Experiment,
    Judge,
    PhotoFace,
    PhotoFaces,
    Recogniser,
    embed,
    mean,
)
from tipim_jax.method import TipIm
from tipim_jax.photos import YUNET, Face, FaceDetector, central_face
from tipim_jax.photos.posting import Posting
from tipim_jax.progress import Bars
from tipim_jax.runtime import configure
from tipim_jax.sweep.data import load_experiment
from tipim_jax.sweep.photos import InPhotos
from tipim_jax.sweep.places import Places
from tipim_jax.sweep.run import faces_bar
from tipim_jax.sweep.settings import Cell, Sweep
from weights_convert import home, obtain

SINGLE = ("mobileface",)
SECOND_BEST = ("mobileface-mv",)
NETWORKS = (
    *("mobileface", "mobileface-mv", "sface", "dlib"),
    *("edgeface", "w600k", "facenet", "facenet-128", "lightcnn", "nn4-small2"),
)
METHODS = {
    "MIM": (SINGLE, dataclasses.replace(TipIm.paper(), target_choice="single")),
    "DIM": (SINGLE, dataclasses.replace(TipIm.paper(), target_choice="single", views=1)),
    "paper": (SINGLE, TipIm.paper()),
    "official": (SINGLE, TipIm.economical()),
    "fast": (DEFAULT_SURROGATES, TipIm.fast()),
    "fast, ε everywhere": (
        DEFAULT_SURROGATES,
        dataclasses.replace(TipIm.fast(), smooth_epsilon=255.0, colour_epsilon=255.0),
    ),
    "strong": (DEFAULT_SURROGATES, TipIm.strong()),
}
UNPROTECTED = "unprotected"
POSTING = Posting(scale=0.75, quality=75)
COLUMNS = {
    "method": ("method", ""),
    "epsilon": ("ε", "g"),
    "rank1_t": ("Rank-1-T", ""),
    "rank5_t": ("Rank-5-T", ""),
    "rank1_ut": ("Rank-1-UT", ""),
    "rank5_ut": ("Rank-5-UT", ""),
    "success_far_0.01": ("PSR, FAR 0.01", ""),
    "posted_rank1_t": ("posted: Rank-1-T", ""),
    "posted_rank1_ut": ("Rank-1-UT", ""),
    "posted_rank5_ut": ("Rank-5-UT", ""),
    "psnr": ("PSNR, dB", ".1f"),
    "ssim": ("SSIM", ".3f"),
    "seconds": ("s/face", ".2f"),
}
EACH = ("rank1_t", "rank1_ut", "rank5_ut")


def cell_for(network: str, method: str, epsilon: float) -> Cell:
    """Masks of a method that were made without a network."""
    surrogates, settings = METHODS[method]
    others = tuple(name for name in surrogates if name != network) or SECOND_BEST
    settings = dataclasses.replace(settings, epsilon=epsilon)
    return Cell(surrogates=others, method=method, settings=settings, seed=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--lfw", type=Path, metavar="PLACE", help="default: the bundled people")
    parser.add_argument("--roles", type=Path, metavar="FILE", help="who of LFW may be what")
    parser.add_argument("--probes", type=int, default=50, help="people (default: 50)")
    parser.add_argument("--method", action="append", choices=METHODS, help="default: all")
    parser.add_argument("--epsilon", action="append", type=float, help="default: 4, 8 and 12")
    parser.add_argument("--network", action="append", choices=NETWORKS, help="default: all")
    parser.add_argument("--batch", type=int, default=8, help="faces together (default: 8)")
    parser.add_argument("--output", type=Path, default=Path("out/leave_one_out"))
    options = parser.parse_args()
    for name in ("probes", "batch"):
        if getattr(options, name) < 1:
            parser.error(f"--{name} is {getattr(options, name)}; expected 1 or more")
    configure()
    epsilons = options.epsilon or [4.0, 8.0, 12.0]
    networks = options.network or NETWORKS
    places = list(itertools.product(options.method or METHODS, epsilons))
    options.output.mkdir(parents=True, exist_ok=True)
    with Bars(Console(stderr=True)) as bars:
        experiment = _experiment(options, bars)
        cells = dict.fromkeys(cell_for(network, *place) for place in places for network in networks)
        used = dict.fromkeys((*networks, *itertools.chain(*(cell.surrogates for cell in cells))))
        recognisers = {name: Recogniser.load(name) for name in used}
        kept = Places(
            options.output,
            masked=experiment.probes.digest + experiment.targets.digest,
            gallery=experiment.gallery.digest,
            drawn=0,
            weights={name: recogniser.digest for name, recogniser in recognisers.items()},
        )
        crops = CropCache(home() / "crops", obtain(YUNET))
        way = InPhotos(experiment, recognisers, batch_size=options.batch, kept=crops)
        _protect(cells, way, len(experiment.probes), kept, bars)
        recognisers = {name: recognisers[name] for name in networks}
        judges = experiment.judges(recognisers, faces_bar(bars))
        values = _judge(places, judges, recognisers, experiment.probes, way, kept, bars)
    rows = [_row(place, found, way, kept) for place, found in values.items()]
    for row in rows:
        row["seconds"] = _seconds(cells, row["method"], kept)
    print(f"{len(experiment.probes)} probes, mean over {len(networks)} networks")
    print(table.text(rows, COLUMNS))
    print(f"\n{' / '.join(FIGURES[name] for name in EACH)}, as saved, then posted")
    each = {name: (name, "") for name in ("method", "epsilon", *networks)}
    print(table.text([_each(place, found) for place, found in values.items()], each))
    about = machine.describe() | {"probes": len(experiment.probes), "networks": list(networks)}
    table.save(options.output / "results.json", about, rows)


def _experiment(options: argparse.Namespace, bars: Bars) -> Experiment:
    sweep = Sweep(protocol="paper" if options.lfw else "people")
    experiment = load_experiment(sweep, options.lfw, options.roles, None, options.output, bars)
    numbers = range(max(0, len(experiment.probes) - options.probes), len(experiment.probes))
    return dataclasses.replace(experiment, probes=experiment.probes.some(numbers))


def _protect(cells, way: InPhotos, probes: int, kept: Places, bars: Bars) -> None:
    """Writes every cell's photos, and how many seconds one took where nothing was there yet."""
    advance = bars.add("protecting", len(cells) * probes, "photos")
    for cell in cells:
        folder = kept.cell(cell)
        fresh = not folder.exists()
        began = time.perf_counter()
        way.protect([cell], [folder], advance)
        if fresh:
            (folder / "seconds").write_text(f"{(time.perf_counter() - began) / probes:.3f}\n")


Values = Mapping[str, np.ndarray]


def _judge(
    places,
    judges: Mapping[str, Judge],
    recognisers: Mapping[str, Recogniser],
    clean: PhotoFaces,
    way: InPhotos,
    kept: Places,
    bars: Bars,
) -> dict[tuple, dict[str, Values]]:
    """Of each method and ε what each network makes of every probe, [probes] by name of a figure."""
    everything = {place: {} for place in [(UNPROTECTED, None), *places]}
    detector = FaceDetector(obtain(YUNET))
    for network, judge in judges.items():
        advance = bars.add(network, len(everything), "settings")
        for place, found in everything.items():
            faces = clean
            if place[0] != UNPROTECTED:
                faces = way.saved(kept.cell(cell_for(network, *place))).faces
            found[network] = {}
            for prefix, shown in (("", faces), ("posted_", _posted(faces, detector))):
                seen = embed({network: recognisers[network]}, shown)
                for name, values in judge.values(judge.standings(seen[network])).items():
                    found[network][prefix + name] = values
            advance(1)
    return everything


def _posted(faces: PhotoFaces, detector: FaceDetector) -> Iterator[PhotoFace]:
    """The faces as they are found in the posted photos, or else where they were."""
    for one in faces:
        pixels = POSTING(one.pixels)
        found = detector.detect(pixels)
        scale = np.array(pixels.shape[1::-1]) / one.pixels.shape[1::-1]
        before = Face(
            one.face.box * np.tile(scale, 2),
            (one.face.landmarks + 0.5) * scale - 0.5,
            one.face.score,
        )
        yield PhotoFace(pixels, central_face(found, pixels) if found else before)


def _row(place, found: Mapping[str, Values], way: InPhotos, kept: Places):
    method, epsilon = place
    row: dict[str, object] = {"method": method, "epsilon": epsilon}
    for name in COLUMNS:
        if name in next(iter(found.values())):
            over_networks = np.mean([values[name] for values in found.values()], axis=0)
            estimate = mean(over_networks)
            row[name] = f"{estimate.value:.2f} [{estimate.low:.2f}, {estimate.high:.2f}]"
    if method != UNPROTECTED:
        cells = dict.fromkeys(cell_for(network, *place) for network in found)
        changed = [way.saved(kept.cell(cell)).changes for cell in cells]
        for name in ("psnr", "ssim"):
            row[name] = float(np.mean([one[name] for one in changed]))
    return row


def _seconds(cells, method: str, kept: Places) -> float | None:
    """Of a face, with all of the method's surrogates; None where a run was stopped meanwhile."""
    own = [cell for cell in cells if cell.method == method]
    whole = [cell for cell in own if cell.surrogates == METHODS[method][0]]
    files = [kept.cell(cell) / "seconds" for cell in whole]
    return min((float(file.read_text()) for file in files if file.is_file()), default=None)


def _each(place, found: Mapping[str, Values]):
    def shares(network, prefix):
        values = found[network]
        return " ".join(f"{np.mean(values[prefix + name]):.2f}" for name in EACH)

    row = dict(zip(("method", "epsilon"), place, strict=True))
    return row | {name: f"{shares(name, '')} | {shares(name, 'posted_')}" for name in found}


if __name__ == "__main__":
    main()
