"""One run of a sweep: protect every cell that is not done, judge it, write its row."""

import dataclasses
import itertools
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from tipim_jax.engine.share import Share
from tipim_jax.identification import (
    CropFace,
    Experiment,
    Judge,
    Recogniser,
    changes,
    embed,
    quality,
    recognitions,
)
from tipim_jax.method import Surrogate
from tipim_jax.progress import Bars
from tipim_jax.report import Measurement
from tipim_jax.sweep.places import Places
from tipim_jax.sweep.protect import crop_path, protect_cells
from tipim_jax.sweep.settings import Cell, Sweep

CLEAN = "clean"


def run(
    sweep: Sweep, experiment: Experiment, output: Path, bars: Bars
) -> list[tuple[Measurement, Path | None]]:
    """Does what is not done, and gives all measurements, each with the folder of its crops.

    That of the clean faces, which has none, comes first, then one a cell. Processes of one
    `jax.distributed` run deal the work out among them.

    Args:
      sweep: its settings.
      experiment: the faces.
      output: folder for everything.
      bars: for progress.
    """
    share = Share.own()
    names = dict.fromkeys(
        (*itertools.chain(*(cell.surrogates for cell in sweep.cells)), *sweep.recognisers)
    )
    recognisers = {name: Recogniser.load(name) for name in names}
    places = Places(
        output,
        masked=experiment.probes.digest + experiment.targets.digest,
        gallery=experiment.gallery.digest,
        drawn=experiment.drawn,
        weights={name: recogniser.digest for name, recogniser in recognisers.items()},
        strangers=experiment.strangers.digest if experiment.strangers else "",
    )
    own = share.of([list(group) for _, group in _grouped(sweep.cells)])
    advance = bars.add("protecting", sum(map(len, own)) * len(experiment.probes), "faces")
    for group in own:
        if all(places.row(cell).is_file() for cell in group):
            advance(len(group) * len(experiment.probes))
            continue
        protect_cells(
            group,
            [places.crops(cell) for cell in group],
            [
                Surrogate(recognisers[name].network.embed, recognisers[name].variables)
                for name in group[0].surrogates
            ],
            experiment.probes,
            experiment.targets,
            places.unfinished,
            batch_size=sweep.batch_size,
            progress=advance,
        )
    cells = [cell for group in own for cell in group]
    if share.index == 0:
        cells.insert(0, None)  # the clean faces
    judges: dict[str, Judge] = {}
    advance = bars.add("judging", len(cells), "cells")
    for cell in cells:
        if not _is_readable(places.row(cell)):
            judges = judges or experiment.judges(recognisers, faces_bar(bars))
            _measured(cell, judges, recognisers, experiment, places).write(places.row(cell))
        advance(1)
    share.wait()
    if share.index == 0:
        shutil.rmtree(places.unfinished, ignore_errors=True)
    everything = [(None, None), *((cell, places.crops(cell)) for cell in sweep.cells)]
    return [(Measurement.read(places.row(cell)), folder) for cell, folder in everything]


def faces_bar(bars: Bars) -> Callable[[str, int], Callable[[float], None]]:
    """What `Experiment.judges` shows its progress with."""
    return lambda what, count: bars.add(f"embedding {what}", count, "faces")


def _is_readable(row: Path) -> bool:
    """Whether a measurement is there and whole."""
    try:
        Measurement.read(row)
    except (OSError, ValueError):
        return False
    return True


def protected_crops(folder: Path, experiment: Experiment) -> np.ndarray:
    """The saved crops of a cell, read back; uint8, in the probes' order."""
    return np.stack(
        [np.asarray(Image.open(crop_path(folder, name))) for name in experiment.probes.names]
    )


def _grouped(cells: Sequence[Cell]):
    """Cells of one shape together, in the order in which the shapes come."""
    order = list(dict.fromkeys(cell.shape for cell in cells))
    return itertools.groupby(sorted(cells, key=lambda c: order.index(c.shape)), lambda c: c.shape)


def _measured(
    cell: Cell | None,
    judges: Mapping[str, Judge],
    recognisers: Mapping[str, Recogniser],
    experiment: Experiment,
    places: Places,
) -> Measurement:
    clean = experiment.probes.crops
    about, changed, crops = {"method": CLEAN}, {}, clean
    if cell is not None:
        crops = protected_crops(places.crops(cell), experiment)
        changed = quality(changes(clean, crops))
        about = {
            "surrogates": list(cell.surrogates),
            "method": cell.method,
            "gamma": cell.settings.gamma,
            "epsilon": cell.settings.epsilon,
            "iterations": cell.settings.iterations,
            "seed": cell.seed,
            "settings": dataclasses.asdict(cell.settings),
            "crops": places.crops(cell).name,
        }
    embeddings = embed(recognisers, map(CropFace, crops))
    found = recognitions(judges, embeddings, cell.surrogates if cell else ())
    return Measurement({**about, **experiment.about}, len(crops), changed, found)
