"""The chart: how far each face moved away from its own gallery photos, one recogniser a chart.

Inline SVG, drawn with the page's own colours, so that it follows its light and dark appearance.
"""

from collections.abc import Sequence
from math import ceil, floor

from markupsafe import Markup

from tipim_jax.report.results import RecogniserResult
from tipim_jax.report.wording import decimal

MOST_FACES = 300  # more lines would make a grey area and a heavy page
VIEW_BOX = "0 0 340 300"

_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 262, 14, 266  # edges of the plotted area
_BEFORE, _AFTER = 80, 222  # where the two columns of dots stand


def slope_chart(pairs: Sequence[tuple[float, float]], recogniser: RecogniserResult) -> Markup:
    """A line from the cosine before to the cosine after for each face, and the threshold.

    Args:
      pairs: cosine to the nearest gallery photo of the same person, before and after. Of more
        than `MOST_FACES` an evenly spaced selection is drawn.
      recogniser: whose cosines they are.

    Returns:
      what stands within an `svg` element whose view box is `VIEW_BOX`.
    """
    threshold = recogniser.threshold
    shown = [pairs[i * len(pairs) // MOST_FACES] for i in range(MOST_FACES)]
    shown = list(pairs) if len(pairs) <= MOST_FACES else shown
    low, high, step = _axis([threshold, *(cosine for pair in shown for cosine in pair)])

    def y(cosine: float) -> float:
        return _BOTTOM - (_BOTTOM - _TOP) * (cosine - low) / (high - low)

    grid, lines, dots = [], [], []
    for tick in range(round((high - low) / step) + 1):
        cosine = low + tick * step
        grid.append(_line("grid", _LEFT, y(cosine), _RIGHT, y(cosine)))
        grid.append(_text("end", _LEFT - 8, y(cosine) + 4, decimal(cosine, 2)))
    for i, (before, after) in enumerate(shown):
        shift = (i * 0.618 % 1 - 0.5) * min(24, len(shown))  # so that equal values stay apart
        state = "known" if recogniser.recognises(after) else "unknown"
        lines.append(_line(state, _BEFORE + shift, y(before), _AFTER + shift, y(after)))
        dots.append(mark("before", _BEFORE + shift, y(before)))
        dots.append(mark(state, _AFTER + shift, y(after)))
    opacity = max(0.12, min(0.6, 15 / max(1, len(shown))))
    labels = [
        _text("middle", _BEFORE, _BOTTOM + 22, "before"),
        _text("middle", _AFTER, _BOTTOM + 22, "after"),
        _line("threshold", _LEFT, y(threshold), _RIGHT, y(threshold)),
        _text("start", _RIGHT + 6, y(threshold) - 3, "threshold", "threshold"),
        _text("start", _RIGHT + 6, y(threshold) + 12, decimal(threshold, 3), "threshold"),
    ]
    lines = [f'<g stroke-opacity="{opacity:.2f}">', *lines, "</g>"]
    return Markup("\n".join([*grid, *lines, *dots, *labels]))


def mark(state: str, x: float, y: float) -> Markup:
    """One mark of the chart: "before", "unknown" or "known"."""
    if state == "known":  # a diamond: told from the others without its colour
        return Markup(f'<path class="known" d="M{x:.1f} {y - 5:.1f}l5 5-5 5-5-5z"/>')
    return Markup(f'<circle class="{state}" cx="{x:.1f}" cy="{y:.1f}" r="3.2"/>')


def _line(style: str, x1: float, y1: float, x2: float, y2: float) -> str:
    ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line class="{style}" {ends}/>'


def _text(anchor: str, x: float, y: float, text: str, style: str = "label") -> str:
    where = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text class="{style}" {where}>{text}</text>'


def _axis(values: Sequence[float]) -> tuple[float, float, float]:
    """Lower edge, upper edge and step: each recogniser's cosines fill its own chart."""
    reach = max(1.0, *values) - min(values)
    step = next((s for s in (0.02, 0.05, 0.1, 0.2) if reach <= 7 * s), 0.5)
    return (
        floor(min(values) / step - 0.2) * step,
        max(1.0, ceil(max(values) / step - 1e-6) * step),
        step,
    )
