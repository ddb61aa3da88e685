"""One run of a sweep: protect every cell that is not done, judge it, write its row."""

import dataclasses
import itertools
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from tipim_jax.engine.share import Share
from tipim_jax.identification import Judge, Row, Trial, quality
from tipim_jax.identification.recogniser import Recogniser
from tipim_jax.method import Surrogate
from tipim_jax.photos import write_whole
from tipim_jax.progress import Bars
from tipim_jax.sweep.places import Places
from tipim_jax.sweep.protect import crop_path, protect_cells
from tipim_jax.sweep.settings import Cell, Sweep

CLEAN = "clean"


def run(sweep: Sweep, trial: Trial, output: Path, bars: Bars) -> list[tuple[Row, Path | None]]:
    """Does what is not done, and gives all rows, each with the folder of its crops.

    That of the clean faces, which has none, comes first, then one a cell. Processes of one
    `jax.distributed` run deal the work out among them.

    Args:
      sweep: its settings.
      trial: the faces.
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
        masked=trial.probes.digest + trial.targets.digest,
        gallery=trial.gallery.digest,
        drawn=trial.drawn,
        weights={name: recogniser.digest for name, recogniser in recognisers.items()},
        strangers=trial.strangers.digest if trial.strangers else "",
        approximate=trial.approximate,
    )
    own = share.of([list(group) for _, group in _grouped(sweep.cells)])
    advance = bars.add("protecting", sum(map(len, own)) * len(trial.probes), "faces")
    for group in own:
        if all(places.row(cell).is_file() for cell in group):
            advance(len(group) * len(trial.probes))
            continue
        protect_cells(
            group,
            [places.crops(cell) for cell in group],
            [
                Surrogate(recognisers[name].network.embed, recognisers[name].variables)
                for name in group[0].surrogates
            ],
            trial.probes,
            trial.targets,
            places.unfinished,
            batch_size=sweep.batch_size,
            progress=advance,
        )
    cells = [cell for group in own for cell in group]
    if share.index == 0:
        cells.insert(0, None)  # the clean faces
    judges = Judges(recognisers, trial, places, bars)
    advance = bars.add("judging", len(cells), "cells")
    for cell in cells:
        if not _is_readable(places.row(cell)):
            _judged(cell, judges, trial, places).write(places.row(cell))
        advance(1)
    share.wait()
    if share.index == 0:
        shutil.rmtree(places.unfinished, ignore_errors=True)
    everything = [(None, None), *((cell, places.crops(cell)) for cell in sweep.cells)]
    return [(Row.read(places.row(cell)), folder) for cell, folder in everything]


def _is_readable(row: Path) -> bool:
    """Whether a row is there and whole."""
    try:
        Row.read(row)
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return True


def protected_crops(folder: Path, trial: Trial) -> np.ndarray:
    """The saved crops of a cell, read back; uint8, in the probes' order."""
    return np.stack(
        [np.asarray(Image.open(crop_path(folder, name))) for name in trial.probes.names]
    )


def _grouped(cells: Sequence[Cell]):
    """Cells of one shape together, in the order in which the shapes come."""
    order = list(dict.fromkeys(cell.shape for cell in cells))
    return itertools.groupby(sorted(cells, key=lambda c: order.index(c.shape)), lambda c: c.shape)


class Judges:
    """Recognisers that have seen the gallery; each looks at it when it is first asked."""

    def __init__(self, recognisers, trial: Trial, places: Places, bars: Bars):
        self._recognisers, self._trial = recognisers, trial
        self._places, self._bars = places, bars
        self._judges: dict[str, Judge] = {}

    def __iter__(self) -> Iterator[tuple[str, Judge]]:
        for name in self._recognisers:
            if name not in self._judges:
                self._judges[name] = self._make(name)
            yield name, self._judges[name]

    def _make(self, name: str) -> Judge:
        gallery, strangers = self._trial.gallery, self._trial.strangers
        path = self._places.embeddings(name)
        found = [self._embeddings(name, "gallery", len(gallery), [gallery.crops], path)]
        if strangers:
            path = self._places.strange_embeddings(name)
            found.append(
                self._embeddings(name, "strangers", len(strangers), strangers.batches, path)
            )
        return Judge.of(self._recognisers[name], self._trial, *found)

    def _embeddings(self, name: str, what: str, count: int, batches, path: Path) -> np.ndarray:
        """Those that are kept at a path, made first where they are not there."""
        kept = _read_array(path)
        if kept is None:
            advance = self._bars.add(f"{name}: {what}", count, "faces")
            found = [self._recognisers[name](crops, advance) for crops in batches]
            with write_whole(path) as stream:
                np.save(stream, np.concatenate(found))
            kept = _read_array(path)
        return kept


def _read_array(path: Path) -> np.ndarray | None:
    """The file as a memory-map: strangers may be many."""
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):  # not there, or damaged
        return None


def _judged(cell: Cell | None, judges: Judges, trial: Trial, places: Places) -> Row:
    clean = trial.probes.crops
    if cell is None:
        seen = {name: judge(clean, held_out=True) for name, judge in judges}
        return Row({"method": CLEAN, **trial.about}, len(clean), {}, seen)
    crops = protected_crops(places.crops(cell), trial)
    about = {
        "surrogates": list(cell.surrogates),
        "method": cell.method,
        "gamma": cell.settings.gamma,
        "epsilon": cell.settings.epsilon,
        "iterations": cell.settings.iterations,
        "seed": cell.seed,
        "settings": dataclasses.asdict(cell.settings),
        "crops": places.crops(cell).name,
        **trial.about,
    }
    seen = {name: judge(crops, held_out=name not in cell.surrogates) for name, judge in judges}
    return Row(about, len(crops), quality(clean, crops), seen)
