"""One run of a sweep: protect every cell that is not done, judge it, write its row."""

import dataclasses
import itertools
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from tipim_jax.method import Surrogate
from tipim_jax.photos import write_whole
from tipim_jax.progress import Bars
from tipim_jax.recogniser import Recogniser
from tipim_jax.sweep.protect import crop_path, protect_cells
from tipim_jax.sweep.settings import Cell, Sweep
from tipim_jax.sweep.share import Share
from tipim_jax.trial import Judge, Row, Trial, quality

CLEAN = "clean"


def run(sweep: Sweep, trial: Trial, data: str, output: Path, bars: Bars) -> list[Row]:
    """Does what is not done, and gives all rows: that of the clean faces first, then one a cell.

    Processes of one `jax.distributed` run deal the work out among them by their index, and each
    gives what it did and what was done before.

    Args:
      sweep: its settings.
      trial: the faces.
      data: stands for the faces in the digests of cells.
      output: folder for everything.
      bars: for progress.
    """
    share = Share.own()
    names = dict.fromkeys(
        (*itertools.chain(*(cell.surrogates for cell in sweep.cells)), *sweep.recognisers)
    )
    recognisers = {name: Recogniser.load(name) for name in names}
    folders = {cell: output / "cells" / cell.digest(data) for cell in sweep.cells}
    groups = [list(group) for _, group in _grouped(sweep.cells)]
    own = share.of(groups)
    work = sum(len(group) for group in own) * len(trial.probes)
    advance = bars.add("protecting", work, "faces")
    for group in own:
        if all(_row(output, cell, data).is_file() for cell in group):
            advance(len(group) * len(trial.probes))
            continue
        surrogates = [
            Surrogate(recognisers[name].network.embed, recognisers[name].variables)
            for name in group[0].surrogates
        ]
        protect_cells(
            group,
            [folders[cell] for cell in group],
            surrogates,
            trial.probes,
            trial.targets,
            output / "unfinished",
            batch_size=sweep.batch_size,
            progress=advance,
        )
    judges = _Judges(recognisers, trial, data, output, bars)
    if share.index == 0:
        _judge_clean(judges, trial, data, output)
    cells = [cell for group in own for cell in group]
    advance = bars.add("judging", len(cells), "cells")
    for cell in cells:
        if not _row(output, cell, data).is_file():
            _judge_cell(cell, folders[cell], judges, trial, data, output)
        advance(1)
    share.wait()
    if share.index == 0:
        shutil.rmtree(output / "unfinished", ignore_errors=True)
    return [Row.read(path) for path in row_paths(sweep, data, output)]


def row_paths(sweep: Sweep, data: str, output: Path) -> list[Path]:
    """Where the rows are, that of the clean faces first."""
    return [_clean_row(output, data), *(_row(output, cell, data) for cell in sweep.cells)]


def protected_crops(folder: Path, trial: Trial) -> np.ndarray:
    """The saved crops of a cell, read back; uint8, in the probes' order."""
    return np.stack(
        [np.asarray(Image.open(crop_path(folder, name))) for name in trial.probes.names]
    )


def _row(output: Path, cell: Cell, data: str) -> Path:
    return output / "rows" / f"{cell.digest(data)}.json"


def _clean_row(output: Path, data: str) -> Path:
    return output / "rows" / f"{CLEAN}-{data[:16]}.json"


def _grouped(cells: Sequence[Cell]):
    """Cells of one shape together, in the order in which the shapes come."""
    order = list(dict.fromkeys(cell.shape for cell in cells))
    return itertools.groupby(sorted(cells, key=lambda c: order.index(c.shape)), lambda c: c.shape)


class _Judges:
    """Recognisers that have seen the gallery; each looks at it when it is first asked."""

    def __init__(self, recognisers, trial: Trial, data: str, output: Path, bars: Bars):
        self._recognisers, self._trial, self._bars = recognisers, trial, bars
        self._folder, self._data = output / "galleries", data
        self._judges: dict[str, Judge] = {}

    def __iter__(self):
        for name in self._recognisers:
            if name not in self._judges:
                self._judges[name] = self._make(name)
            yield name, self._judges[name]

    def _make(self, name: str) -> Judge:
        path = self._folder / f"{name}-{self._data[:16]}.npy"
        gallery = _read_array(path, len(self._trial.gallery))
        recogniser = self._recognisers[name]
        if gallery is None:
            count = len(self._trial.gallery)
            gallery = recogniser(
                self._trial.gallery.crops, self._bars.add(f"{name}: gallery", count, "faces")
            )
            with write_whole(path) as stream:
                np.save(stream, gallery)
        return Judge.of(recogniser, self._trial, gallery)


def _read_array(path: Path, length: int) -> np.ndarray | None:
    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return found if len(found) == length else None


def _judge_clean(judges: _Judges, trial: Trial, data: str, output: Path) -> None:
    path = _clean_row(output, data)
    if not path.is_file():
        seen = {name: judge(trial.probes.crops, held_out=True) for name, judge in judges}
        Row({"method": CLEAN}, len(trial.probes), {}, seen).write(path)


def _judge_cell(cell, folder, judges, trial, data, output) -> None:
    crops = protected_crops(folder, trial)
    seen = {name: judge(crops, held_out=name not in cell.surrogates) for name, judge in judges}
    about = {
        "surrogates": list(cell.surrogates),
        "method": cell.method,
        "gamma": cell.settings.gamma,
        "epsilon": cell.settings.epsilon,
        "iterations": cell.settings.iterations,
        "seed": cell.seed,
        "settings": dataclasses.asdict(cell.settings),
        "folder": str(folder.relative_to(output)),
    }
    row = Row(about, len(trial.probes), quality(trial.probes.crops, crops), seen)
    row.write(_row(output, cell, data))
