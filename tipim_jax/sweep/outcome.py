"""What a sweep writes when all its rows are there: tables, figures, and the page with all of it."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import jax

from tipim_jax.identification import Experiment
from tipim_jax.photos import write_whole
from tipim_jax.report import Measurement
from tipim_jax.report.tables import csv_table, latex_tables, text_tables
from tipim_jax.sweep.figures import draw
from tipim_jax.sweep.page import FACES_SHOWN, sweep_page
from tipim_jax.sweep.published import published
from tipim_jax.sweep.saved import Way
from tipim_jax.sweep.settings import Sweep


def write_outcome(
    sweep: Sweep,
    experiment: Experiment,
    way: Way,
    found: Sequence[tuple[Measurement, Path | None]],
    output: Path,
    seconds: float,
) -> str:
    """Writes tables, figures and index.html, and returns the tables as text.

    Args:
      sweep: its settings.
      experiment: the faces.
      way: how they were protected.
      found: every measurement with the folder of its cell, as `run` gives them.
      output: folder for everything.
      seconds: that the run took.
    """
    rows = [row for row, _ in found]
    text = text_tables(rows) + "\n" + published(sweep.protocol)
    figures = draw(rows, output / "figures")
    shown = [face.crop for face in islice(experiment.probes, FACES_SHOWN)]
    protected = [(row, way.crops(folder, FACES_SHOWN)) for row, folder in found if folder]
    devices = jax.devices()
    gallery, strangers = experiment.gallery, experiment.strangers
    about = [
        f"{len(experiment.probes)} probes, {len(set(experiment.targets.people))} targets, "
        f"a gallery of {len(gallery)} photos of {len(set(gallery.people))} people"
        + (f", {len(strangers)} photos of strangers" if strangers else "")
        + (f" and {experiment.drawn} drawn embeddings of nobody" if experiment.drawn else "")
        + f"; protocol {sweep.protocol!r}, {len(sweep.cells)} cells. "
        + ("Crops were attacked as crops." if sweep.crops else "Masks were made in whole photos."),
        f"{devices[0].device_kind} ×{len(devices)}; this run took {seconds:.0f} s.",
    ]
    page = sweep_page(sweep.title, about, rows, figures, shown, protected)
    for name, content in (
        ("tables.txt", text),
        ("tables.csv", csv_table(rows)),
        ("tables.tex", latex_tables(rows)),
        ("index.html", page),
    ):
        with write_whole(output / name) as stream:
            stream.write(content.encode(errors="backslashreplace"))
    return text
