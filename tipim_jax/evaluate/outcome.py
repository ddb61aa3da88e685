"""What becomes of protection when photos are posted: all figures, tables and a picture.

`rows` is everywhere a pair of measurements for each condition, of unprotected and of protected
faces, the photos as they were saved first. `Measurement.about["posting"]` names the condition.
"""

import dataclasses
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from tipim_jax.identification import FIGURES
from tipim_jax.photos import write_whole
from tipim_jax.report import Measurement
from tipim_jax.report.drawing import heat_map, pyplot, save
from tipim_jax.report.tables import ABOUT, Table, as_latex, as_text, csv_table, footnote, shares

Rows = Sequence[tuple[Measurement, Measurement]]
_SHOWN = ("rank1_ut", "rank5_ut", "rank1_t")


def write_posting(rows: Rows, folder: Path) -> None:
    """Writes posting.json, .txt, .csv, .tex, .svg and .png."""
    every = [row for pair in rows for row in pair]
    tables = [summary(rows), *_details(rows)]
    contents = {
        "json": json.dumps([dataclasses.asdict(row) for row in every], indent=1) + "\n",
        "txt": as_text(tables) + footnote(every),
        "csv": csv_table(every, ("posting", *ABOUT)),
        "tex": as_latex(tables),
    }
    for suffix, content in contents.items():
        with write_whole(folder / f"posting.{suffix}") as stream:
            stream.write(content.encode(errors="backslashreplace"))
    save(_picture(rows), folder, "posting")


def summary(rows: Rows) -> Table:
    """For each condition the means over the recognisers that the masks were made without.

    Over all of them where there are none such. Beside each share, unprotected → protected, stands
    by how many points the latter differs from that of the photos as they were saved.
    """
    saved = rows[0][1]
    names, lines = _names(saved), []
    for clean, protected in rows:
        cells = []
        for name in names:
            before, after = _mean(clean, name), _mean(protected, name)
            points = f"{100 * (after - _mean(saved, name)):+.1f}".replace("-", "−")
            cells += [f"{before:.2f} → {after:.2f}", points]
        lost = str(len(protected.about["no_face_found"]))
        lines.append([protected.about["posting"], *cells, lost])
    columns = (cell for name in names for cell in (FIGURES[name], "points"))
    held_out = (r if saved.recognisers[r].held_out else f"[{r}]" for r in _held_out(saved))
    title = f"Protection of posted photos, mean over {', '.join(held_out)}"
    return title, ["posted", *columns, "no face"], lines


def _details(rows: Rows) -> Iterator[Table]:
    recognisers = list(rows[0][1].recognisers)
    for name in _names(rows[0][1]):
        lines = [
            [
                protected.about["posting"],
                *(
                    " → ".join(shares(row, recogniser, (name,)) for row in (clean, protected))
                    for recogniser in recognisers
                ),
            ]
            for clean, protected in rows
        ]
        yield f"{FIGURES[name]}, unprotected → protected", ["posted", *recognisers], lines
    lines = [
        [
            clean.about["posting"],
            *(str(len(row.about["no_face_found"])) for row in (clean, protected)),
        ]
        for clean, protected in rows
    ]
    yield "Photos in which no face is found", ["posted", "unprotected", "protected"], lines


def _picture(rows: Rows) -> pyplot.Figure:
    """A panel for each figure that there is, of protected faces: conditions by recognisers."""
    protected = [row for _, row in rows]
    saved = protected[0]
    recognisers, held_out = list(saved.recognisers), _held_out(saved)
    columns = list(recognisers)
    with_mean = 1 < len(held_out) < len(recognisers)
    if with_mean:
        columns.append("mean of held-out")
    names = _names(saved)
    size = (1.8 + len(names) * (0.3 + 0.62 * len(columns)), 1.6 + 0.3 * len(rows))
    figure, axes = pyplot.subplots(
        1, len(names), figsize=size, sharey=True, squeeze=False, layout="constrained"
    )
    for axis, name in zip(axes[0], names, strict=True):
        values = [[_share(row, r, name) for r in recognisers] for row in protected]
        texts = [[shares(row, r, (name,)) for r in recognisers] for row in protected]
        if with_mean:
            for row, line, words in zip(protected, values, texts, strict=True):
                line.append(_mean(row, name))
                words.append(f"{line[-1]:.2f}")
        heat_map(axis, np.array(values, float), texts, columns)
        if with_mean:
            axis.axvline(len(recognisers) - 0.5, color="white", linewidth=3)
        axis.set_title(FIGURES[name])
        axis.tick_params(left=False)
    axes[0, 0].set_yticks(range(len(rows)), [row.about["posting"] for row in protected])
    all_held_out = all(recognition.held_out for recognition in saved.recognisers.values())
    white_box = "" if all_held_out else "; in brackets: white box"
    figure.suptitle(f"Protection of posted photos, {saved.probes} faces{white_box}")
    return figure


def _names(row: Measurement) -> list[str]:
    """Of the figures those that exist: without targets nobody is taken for one."""
    return [name for name in _SHOWN if not np.isnan(_mean(row, name))]


def _held_out(row: Measurement) -> list[str]:
    """Those of its recognisers that masks were made without, or else all."""
    found = [name for name, found in row.recognisers.items() if found.held_out]
    return found or list(row.recognisers)


def _mean(row: Measurement, name: str) -> float:
    """Over these recognisers; NaN where the figure does not exist."""
    return float(np.mean([_share(row, recogniser, name) for recogniser in _held_out(row)]))


def _share(row: Measurement, recogniser: str, name: str) -> float:
    figure = row.recognisers[recogniser].figures[name]
    return figure.value if figure else math.nan
