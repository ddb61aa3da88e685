"""A sweep as one HTML page: figures, tables, and some faces of every cell."""

import base64
from collections.abc import Sequence
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np
from jaxtyping import UInt8

from tipim_jax.report import Measurement, document, element, picture
from tipim_jax.report.tables import label, text_tables

FACES_SHOWN = 6


def sweep_page(
    title: str,
    about: Sequence[str],
    rows: Sequence[Measurement],
    figures: Sequence[Path],
    clean: UInt8[np.ndarray, "faces 112 112 3"],
    protected: Sequence[tuple[Measurement, UInt8[np.ndarray, "faces 112 112 3"]]],
) -> str:
    """The page as text; write it as UTF-8.

    Args:
      title: of the page.
      about: what was done, in sentences.
      rows: the results.
      figures: PNG files, which the page takes in.
      clean: some probes as they were.
      protected: the same ones as each cell saved them, with its measurement.
    """
    sections = [element("h1", {}, title), *(element("p", {}, line) for line in about)]
    sections.append(element("h2", {}, "Figures"))
    sections += [_figure(path) for path in figures]
    sections.append(element("h2", {}, "Tables"))
    table = element("pre", {"class": "fine"}, text_tables(rows))
    sections.append(element("div", {"class": "wide", "tabindex": "0"}, table))
    sections.append(element("h2", {}, "Some faces"))
    sections.append(_faces("unprotected", clean))
    sections += [_faces(_caption(row), crops) for row, crops in protected]
    return document(title, sections)


def _caption(row: Measurement) -> str:
    values = {"γ": "gamma", "ε": "epsilon", "T": "iterations", "seed": "seed"}
    numbers = ", ".join(f"{sign} = {row.about[name]:g}" for sign, name in values.items())
    psnr, ssim = row.quality["psnr"], row.quality["ssim"]
    noise = f"PSNR {psnr.value:.1f} dB" if psnr else "unchanged"
    return f"{label(row)}: {numbers}; {noise}, SSIM {ssim.value:.3f}"


def _figure(path: Path) -> Element:
    address = "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
    style = "max-width: 100%; height: auto; background: #fff; border-radius: 6px"
    image = element("img", {"src": address, "alt": path.stem, "style": style})
    return element("figure", {"style": "margin: 0 0 24px"}, image)


def _faces(caption: str, crops) -> Element:
    images = []
    for crop in crops:
        shown = picture(crop)
        size = {"width": str(shown.width), "height": str(shown.height)}
        images.append(element("img", {"src": shown.address, "alt": "", **size}))
    row = element("div", {"style": "display: flex; flex-wrap: wrap; gap: 6px"}, *images)
    heading = element("figcaption", {}, caption)
    return element("figure", {"style": "margin: 0 0 16px"}, row, heading)
