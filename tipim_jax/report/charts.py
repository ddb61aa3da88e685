"""The chart: how far each face moved away from its own gallery photos, one recogniser a chart.

Inline SVG, drawn with the page's own colours, so that it follows its light and dark appearance.
"""

from collections.abc import Sequence
from math import ceil, floor
from xml.etree.ElementTree import Element

from tipim_jax.report.markup import element
from tipim_jax.report.wording import decimal

MOST_FACES = 300  # more lines would make a grey area and a heavy page

_WIDTH, _HEIGHT = 340, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 262, 14, 266  # edges of the plotted area
_BEFORE, _AFTER = 80, 222  # where the two columns of dots stand


def slope_chart(
    pairs: Sequence[tuple[float, float]], threshold: float, description: str
) -> Element:
    """A line from the cosine before to the cosine after for each face, and the threshold.

    Args:
      pairs: cosine to the nearest gallery photo of the same person, before and after. Of more
        than `MOST_FACES` an evenly spaced selection is drawn.
      threshold: the recogniser's; above it a face is recognised.
      description: what the chart shows, for those who cannot see it.
    """
    shown = [pairs[i * len(pairs) // MOST_FACES] for i in range(MOST_FACES)]
    shown = list(pairs) if len(pairs) <= MOST_FACES else shown
    low, high, step = _axis([threshold, *(cosine for pair in shown for cosine in pair)])

    def y(cosine: float) -> float:
        return _BOTTOM - (_BOTTOM - _TOP) * (cosine - low) / (high - low)

    grid = []
    for tick in range(round((high - low) / step) + 1):
        cosine = low + tick * step
        grid.append(_line("grid", _LEFT, y(cosine), _RIGHT, y(cosine)))
        grid.append(_text("end", _LEFT - 8, y(cosine) + 4, decimal(cosine, 2)))
    lines, dots = [], []
    for i, (before, after) in enumerate(shown):
        shift = (i * 0.618 % 1 - 0.5) * min(24, len(shown))  # so that equal values stay apart
        state = "known" if after > threshold else "unknown"
        lines.append(_line(state, _BEFORE + shift, y(before), _AFTER + shift, y(after)))
        dots.append(_mark("before", _BEFORE + shift, y(before)))
        dots.append(_mark(state, _AFTER + shift, y(after)))
    strength = decimal(max(0.12, min(0.6, 15 / max(1, len(shown)))), 2)
    labels = [
        _text("middle", _BEFORE, _BOTTOM + 22, "before"),
        _text("middle", _AFTER, _BOTTOM + 22, "after"),
        _line("threshold", _LEFT, y(threshold), _RIGHT, y(threshold)),
        _text("start", _RIGHT + 6, y(threshold) - 3, "threshold", "threshold"),
        _text("start", _RIGHT + 6, y(threshold) + 12, decimal(threshold, 3), "threshold"),
    ]
    return element(
        "svg",
        {"viewBox": f"0 0 {_WIDTH} {_HEIGHT}", "role": "img", "aria-label": description},
        *grid,
        element("g", {"stroke-opacity": strength}, *lines),
        *dots,
        *labels,
    )


def sample(state: str) -> Element:
    """One mark of the chart, for its legend: "before", "unknown" or "known"."""
    return element("svg", {"viewBox": "0 0 12 12", "aria-hidden": "true"}, _mark(state, 6, 6))


def _axis(values: Sequence[float]) -> tuple[float, float, float]:
    """Lower edge, upper edge and step: each recogniser's cosines fill its own chart."""
    reach = max(1.0, *values) - min(values)
    step = next((s for s in (0.02, 0.05, 0.1, 0.2) if reach <= 7 * s), 0.5)
    return (
        floor(min(values) / step - 0.2) * step,
        max(1.0, ceil(max(values) / step - 1e-6) * step),
        step,
    )


def _mark(state: str, x: float, y: float) -> Element:
    if state == "known":  # a diamond: told from the others without its colour
        points = f"{x:.1f},{y - 5:.1f} {x + 5:.1f},{y:.1f} {x:.1f},{y + 5:.1f} {x - 5:.1f},{y:.1f}"
        return element("polygon", {"class": state, "points": points})
    return element("circle", {"class": state, "cx": f"{x:.1f}", "cy": f"{y:.1f}", "r": "3.2"})


def _line(style: str, x1: float, y1: float, x2: float, y2: float) -> Element:
    ends = {"x1": f"{x1:.1f}", "y1": f"{y1:.1f}", "x2": f"{x2:.1f}", "y2": f"{y2:.1f}"}
    return element("line", {"class": style, **ends})


def _text(anchor: str, x: float, y: float, text: str, style: str = "label") -> Element:
    where = {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor, "class": style}
    return element("text", where, text)
