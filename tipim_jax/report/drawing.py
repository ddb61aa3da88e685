"""What figures of rows are drawn with: matplotlib without a screen."""

import io
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from jaxtyping import Float

from tipim_jax.photos import write_whole

matplotlib.use("Agg")
from matplotlib import pyplot

_DARK = 0.45  # of viridis; up to there white letters have more contrast than black ones


def heat_map(
    axis: pyplot.Axes,
    shares: Float[np.ndarray, "rows columns"],
    texts: Sequence[Sequence[str]],
    columns: Sequence[str],
) -> None:
    """Draws a table of shares in [0, 1] as coloured cells, with a text in each.

    Args:
      axis: to draw on; its rows are not labelled.
      shares: the colours.
      texts: row by row.
      columns: what stands below.
    """
    axis.imshow(shares, vmin=0, vmax=1, cmap="viridis", aspect="auto")
    for (y, x), share in np.ndenumerate(shares):
        colour = "black" if share > _DARK else "white"
        axis.text(x, y, texts[y][x], ha="center", va="center", fontsize=8, color=colour)
    axis.set_xticks(range(len(columns)), columns, rotation=30, ha="right")


def save(figure: pyplot.Figure, folder: Path, name: str) -> Path:
    """Writes a figure as SVG and PNG, closes it, and gives the PNG."""
    for suffix in ("svg", "png"):
        stream = io.BytesIO()
        figure.savefig(stream, format=suffix, dpi=150, bbox_inches="tight")
        with write_whole(folder / f"{name}.{suffix}") as file:
            file.write(stream.getvalue())
    pyplot.close(figure)
    return folder / f"{name}.png"
