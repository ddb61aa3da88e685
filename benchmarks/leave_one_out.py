"""How masks protect from networks that they were made without, each in turn, and after posting.

    python -m benchmarks.leave_one_out --lfw lfw.tgz --roles protocol.json --probes 50

Each network judges masks that were made against a method's surrogates without it: of the authors'
methods the best single surrogate, or, to judge that one, the second best; of this project's presets
their default ones. Shown are means over all networks, with 95 % intervals over the probes, and then
each network's own. `posted`: the crops scaled to 0.75 and compressed as JPEG 75. Seconds are those
of one face among `--batch`; they hold no compilation where a method was run at several ε.

The probes are the last ones of the protocol, since settings were chosen on the first. Crops and
embeddings are kept in `--output`: a second run goes on. Without `--lfw` the faces are those of the
bundled people.
"""

import argparse
import dataclasses
import itertools
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from benchmarks import machine, table
from tipim_jax.console import Console
from tipim_jax.engine.defaults import SURROGATES as DEFAULT_SURROGATES
from tipim_jax.evaluate.posted import restored
from tipim_jax.identification import (
    FIGURES,
    CropFace,
    CropFaces,
    Experiment,
    Judge,
    Recogniser,
    embed,
    mean,
    psnr,
    ssim,
)
from tipim_jax.method import Surrogate, TipIm
from tipim_jax.photos.posting import Posting
from tipim_jax.progress import Bars
from tipim_jax.runtime import configure
from tipim_jax.sweep.data import load_experiment
from tipim_jax.sweep.places import Places
from tipim_jax.sweep.protect import protect_cells
from tipim_jax.sweep.run import faces_bar, protected_crops
from tipim_jax.sweep.settings import Cell, Sweep

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
        _protect(cells, recognisers, experiment, kept, options.batch, bars)
        recognisers = {name: recognisers[name] for name in networks}
        judges = experiment.judges(recognisers, faces_bar(bars))
        values = _judge(places, judges, recognisers, experiment, kept, bars)
    rows = [_row(place, found, experiment, kept) for place, found in values.items()]
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
    probes = experiment.probes
    last = slice(max(0, len(probes) - options.probes), None)
    return dataclasses.replace(
        experiment, probes=CropFaces(probes.names[last], probes.people[last], probes.crops[last])
    )


def _protect(
    cells, recognisers, experiment: Experiment, kept: Places, batch: int, bars: Bars
) -> None:
    """Writes every cell's crops, and how many seconds a face took where nothing was there yet."""
    advance = bars.add("protecting", len(cells) * len(experiment.probes), "faces")
    for cell in cells:
        folder = kept.crops(cell)
        fresh = not folder.exists()
        began = time.perf_counter()
        networks = [recognisers[name] for name in cell.surrogates]
        protect_cells(
            [cell],
            [folder],
            [Surrogate(one.network.embed, one.variables) for one in networks],
            experiment.probes,
            experiment.targets,
            kept.unfinished,
            batch_size=batch,
            progress=advance,
        )
        if fresh:
            seconds = (time.perf_counter() - began) / len(experiment.probes)
            (folder / "seconds").write_text(f"{seconds:.3f}\n")


Values = Mapping[str, np.ndarray]


def _judge(
    places,
    judges: Mapping[str, Judge],
    recognisers: Mapping[str, Recogniser],
    experiment: Experiment,
    kept: Places,
    bars: Bars,
) -> dict[tuple, dict[str, Values]]:
    """Of each method and ε what each network makes of every probe, [probes] by name of a figure."""
    everything = {place: {} for place in [(UNPROTECTED, None), *places]}
    for network, judge in judges.items():
        advance = bars.add(network, len(everything), "settings")
        for place, found in everything.items():
            crops = experiment.probes.crops
            if place[0] != UNPROTECTED:
                crops = protected_crops(kept.crops(cell_for(network, *place)), experiment)
            found[network] = {}
            posted = (restored(POSTING(crop)) for crop in crops)
            for prefix, faces in (("", crops), ("posted_", posted)):
                seen = embed({network: recognisers[network]}, map(CropFace, faces))
                for name, values in judge.values(judge.standings(seen[network])).items():
                    found[network][prefix + name] = values
            advance(1)
    return everything


def _row(place, found: Mapping[str, Values], experiment: Experiment, kept: Places):
    method, epsilon = place
    row: dict[str, object] = {"method": method, "epsilon": epsilon}
    for name in COLUMNS:
        if name in next(iter(found.values())):
            over_networks = np.mean([values[name] for values in found.values()], axis=0)
            estimate = mean(over_networks)
            row[name] = f"{estimate.value:.2f} [{estimate.low:.2f}, {estimate.high:.2f}]"
    if method != UNPROTECTED:
        cells = dict.fromkeys(cell_for(network, *place) for network in found)
        crops = [protected_crops(kept.crops(cell), experiment) for cell in cells]
        row["psnr"], row["ssim"] = (
            float(np.mean([measure(experiment.probes.crops, one) for one in crops]))
            for measure in (psnr, ssim)
        )
    return row


def _seconds(cells, method: str, kept: Places) -> float | None:
    """Of a face, with all of the method's surrogates; None where a run was stopped meanwhile."""
    own = [cell for cell in cells if cell.method == method]
    whole = [cell for cell in own if cell.surrogates == METHODS[method][0]]
    files = [kept.crops(cell) / "seconds" for cell in whole]
    return min((float(file.read_text()) for file in files if file.is_file()), default=None)


def _each(place, found: Mapping[str, Values]):
    def shares(network, prefix):
        values = found[network]
        return " ".join(f"{np.mean(values[prefix + name]):.2f}" for name in EACH)

    row = dict(zip(("method", "epsilon"), place, strict=True))
    return row | {name: f"{shares(name, '')} | {shares(name, 'posted_')}" for name in found}


if __name__ == "__main__":
    main()
