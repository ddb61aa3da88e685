"""One run of a sweep: protect every cell that is not done, judge it, write its row."""

import dataclasses
import itertools
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tipim_jax.backend import backend
from tipim_jax.datasets.crops import CropCache
from tipim_jax.engine.processes import Process
from tipim_jax.identification import (
    CropFaces,
    Experiment,
    Judge,
    Recogniser,
    embed,
    quality,
    recognitions,
)
from tipim_jax.networks.precision import chosen
from tipim_jax.photos import YUNET
from tipim_jax.progress import Bars
from tipim_jax.report import Measurement
from tipim_jax.sweep.crops import AsCrops
from tipim_jax.sweep.photos import InPhotos
from tipim_jax.sweep.places import Places
from tipim_jax.sweep.saved import Way
from tipim_jax.sweep.settings import Cell, Sweep
from weights_convert import home, obtain

CLEAN = "clean"


def run(
    sweep: Sweep, experiment: Experiment, output: Path, bars: Bars
) -> tuple[Way, list[tuple[Measurement, Path | None]]]:
    """Does what is not done.

    Gives the way that it was done in, and all measurements, each with the folder of its cell: that
    of the clean faces, which has none, comes first, then one a cell. Processes of one
    `jax.distributed` run deal the work out among them.

    Args:
      sweep: its settings.
      experiment: the faces.
      output: folder for everything.
      bars: for progress.
    """
    process = Process.own()
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
        dtype=chosen(sweep.dtype, backend()),
        strangers=experiment.strangers.digest if experiment.strangers else "",
    )
    way = _way(sweep, experiment, recognisers, places)
    own = process.part_of([list(group) for _, group in _grouped(sweep.cells)])
    advance = bars.add("protecting", sum(map(len, own)) * len(experiment.probes), "faces")
    for group in own:
        if all(places.row(cell).is_file() for cell in group):
            advance(len(group) * len(experiment.probes))
            continue
        way.protect(group, [places.cell(cell) for cell in group], advance)
    cells = [cell for group in own for cell in group]
    if process.index == 0:
        cells.insert(0, None)  # the clean faces
    judges: dict[str, Judge] = {}
    advance = bars.add("judging", len(cells), "cells")
    for cell in cells:
        if not _is_readable(places.row(cell)):
            judges = judges or experiment.judges(recognisers, faces_bar(bars))
            _measured(cell, judges, recognisers, experiment, way, places).write(places.row(cell))
        advance(1)
    process.wait()
    if process.index == 0:
        shutil.rmtree(places.unfinished, ignore_errors=True)
    everything = [(None, None), *((cell, places.cell(cell)) for cell in sweep.cells)]
    return way, [(Measurement.read(places.row(cell)), folder) for cell, folder in everything]


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


def _way(
    sweep: Sweep, experiment: Experiment, recognisers: Mapping[str, Recogniser], places: Places
) -> Way:
    if sweep.crops:
        return AsCrops(
            experiment,
            recognisers,
            batch_size=sweep.batch_size,
            dtype=places.dtype,
            unfinished=places.unfinished,
        )
    kept = CropCache(home() / "crops", obtain(YUNET))
    return InPhotos(
        experiment, recognisers, batch_size=sweep.batch_size, dtype=places.dtype, kept=kept
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
    way: Way,
    places: Places,
) -> Measurement:
    about, changed, faces = {"method": CLEAN}, {}, experiment.probes
    if cell is not None:
        saved = way.saved(places.cell(cell))
        changed, faces = quality(saved.changes), saved.faces
        about = {
            "surrogates": list(cell.surrogates),
            "method": cell.method,
            "gamma": cell.settings.gamma,
            "epsilon": cell.settings.epsilon,
            "iterations": cell.settings.iterations,
            "seed": cell.seed,
            "masks": "in crops" if isinstance(faces, CropFaces) else "in photos",
            "settings": dataclasses.asdict(cell.settings),
            "folder": places.cell(cell).name,
            "no_face_found": list(saved.lost),
        }
    found = recognitions(judges, embed(recognisers, faces), cell.surrogates if cell else ())
    return Measurement({**about, **experiment.about}, len(faces), changed, found)
