"""A sweep as one HTML page: figures, tables, and some faces of every cell."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from tipim_jax.report import Measurement, picture, png_picture, render
from tipim_jax.report.tables import label, text_tables

FACES_SHOWN = 6


def sweep_page(
    title: str,
    about: Sequence[str],
    rows: Sequence[Measurement],
    figures: Mapping[Path, str],
    clean: Sequence[UInt8[np.ndarray, "112 112 3"]],
    protected: Sequence[tuple[Measurement, Sequence[UInt8[np.ndarray, "112 112 3"]]]],
) -> str:
    """The page as text; write it as UTF-8.

    Args:
      title: of the page.
      about: what was done, in sentences.
      rows: the results.
      figures: PNG files, which the page takes in, and what each of them shows.
      clean: some probes as they were.
      protected: the same ones as each cell saved them, with its measurement.
    """
    faces = [("unprotected", clean), *((_caption(row), crops) for row, crops in protected)]
    return render(
        "sweep.html.j2",
        title=title,
        about=about,
        tables=text_tables(rows),
        figures=[(png_picture(path), caption) for path, caption in figures.items()],
        faces=[(caption, [picture(crop) for crop in crops]) for caption, crops in faces],
    )


def _caption(row: Measurement) -> str:
    values = {"γ": "gamma", "ε": "epsilon", "T": "iterations", "seed": "seed"}
    numbers = ", ".join(f"{sign} = {row.about[name]:g}" for sign, name in values.items())
    psnr, ssim = row.quality["psnr"], row.quality["ssim"]
    noise = f"PSNR {psnr.value:.1f} dB" if psnr else "unchanged"
    return f"{label(row)}: {numbers}; {noise}, SSIM {ssim.value:.3f}"
