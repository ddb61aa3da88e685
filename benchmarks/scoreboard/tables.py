"""The scoreboard's tables, in Markdown, and its curve: from rows and from nothing else."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks import table
from benchmarks.scoreboard.judging import UNPROTECTED, Row
from tipim_jax.evaluate.windows import OWN as OWN_WINDOW
from tipim_jax.report.drawing import pyplot

Visibility = Mapping[tuple[str, str], Mapping[str, Any]]  # by set and method
NONE = "–"
_SEEN = {
    "dssim": ("DSSIM", ".3f"),
    "worst_dssim": ("the worst face's", ".3f"),
    "box_psnr": ("PSNR, dB", ".1f"),
    "colour": ("colour", ".2f"),
    "brightness": ("brightness", ".2f"),
    "flip": ("FLIP", ".3f"),
}
_SHARES = {
    "rank1_ut": "Rank-1-UT",
    "rank5_ut": "Rank-5-UT",
    "recognised": "recognised",
    "success_far_0.01": "not verified, FAR 0.01",
}
_WINDOWS = (OWN_WINDOW, "five-points", "eyes", "box", "loose-box", "chips")
_THREATS = {
    "search": ("found_first", "found_in_five"),
    "verification": ("matched_far_0.01", "matched_far_0.001"),
    "enrolment": ("found_first", "found_in_five"),
    "both": ("found_first", "found_in_five"),
    **dict.fromkeys(("classifier", "classifier-enrolled", "adaptive", "adaptive-self"), ("named",)),
}


def markdown(rows: Sequence[Row], seen: Visibility, judges: Sequence[str]) -> dict[str, str]:
    """All tables by name.

    Args:
      judges: Networks that no method's masks were made against; means are over these.
    """
    return {
        "methods": methods(rows, seen, judges),
        "windows": windows(rows, judges),
        "networks": networks(rows),
        "posting": posting(rows),
        "threats": threats(rows, judges),
        "programs": programs(rows),
    }


def methods(rows: Sequence[Row], seen: Visibility, judges: Sequence[str]) -> str:
    """Each method: what is seen of it, and what never-seen networks make of it."""
    header = ["", *(words for words, _ in _SEEN.values()), *_SHARES.values()]

    def line(photos, method):
        quality = seen.get((photos, method), {})
        own = _some(rows, photos=photos, method=method, kind="window", way=OWN_WINDOW)
        own = [row for row in own if row.recogniser in judges]
        cells = [_value(quality.get(name), form) for name, (_, form) in _SEEN.items()]
        return [*cells, *(_spread(own, figure) for figure in _SHARES)]

    return _by_set(rows, header, line)


def windows(rows: Sequence[Row], judges: Sequence[str]) -> str:
    """The mean over these networks through each window: Rank-1-UT / Rank-5-UT / not verified."""
    figures = ("rank1_ut", "rank5_ut", "success_far_0.01")

    def line(photos, method):
        found = _some(rows, photos=photos, method=method, kind="window")
        found = [row for row in found if row.recogniser in judges]
        return [_means(_through(found, window), figures) for window in _WINDOWS]

    return _by_set(rows, ["", *_WINDOWS], line)


def networks(rows: Sequence[Row]) -> str:
    """Each network through its own window: recognised, Rank-1-UT, Rank-5-UT."""
    own = _some(rows, kind="window", way=OWN_WINDOW)
    names = list(dict.fromkeys(row.recogniser for row in own))

    def line(photos, method):
        found = _some(own, photos=photos, method=method)
        return [_cell([row for row in found if row.recogniser == name], method) for name in names]

    return _by_set(own, ["", *names], line)


def posting(rows: Sequence[Row]) -> str:
    """Every way to post and to filter: Rank-1-UT / Rank-5-UT, mean over its networks."""
    posted = _some(rows, kind="posting")
    names = list(dict.fromkeys((row.photos, row.method) for row in posted))
    lines = [
        [
            way,
            *(
                _means(_some(posted, photos=photos, method=method, way=way),
                       ("rank1_ut", "rank5_ut"))
                for photos, method in names
            ),
        ]
        for way in dict.fromkeys(row.way for row in posted)
    ]  # fmt: skip
    return _table(["", *(f"{photos}: {method}" for photos, method in names)], lines)


def threats(rows: Sequence[Row], judges: Sequence[str]) -> str:
    """Each threat: shares of the photos, mean over never-seen networks."""
    found = [row for row in _some(rows, kind="threat") if row.recogniser in judges]
    names = list(dict.fromkeys((row.photos, row.method) for row in found))
    lines = []
    for threat, figures in _THREATS.items():
        some = _some(found, way=threat)
        if some:
            counts = [f"{int(some[0].figures[name][0])} {name}" for name in ("photos", "people")]
            cells = [_means(_some(some, photos=p, method=m), figures) for p, m in names]
            lines.append([f"{threat} ({' of '.join(counts)})", *cells])
    return _table(["", *(f"{photos}: {method}" for photos, method in names)], lines)


def programs(rows: Sequence[Row]) -> str:
    """Each program: recognised / Rank-1-UT / Rank-5-UT."""
    own = _some(rows, kind="program")
    names = list(dict.fromkeys(row.recogniser for row in own))
    figures = ("recognised", "rank1_ut", "rank5_ut")

    def line(photos, method):
        found = _some(own, photos=photos, method=method)
        return [_means(_some(found, recogniser=name), figures) for name in names]

    return _by_set(own, ["", *names], line)


def curve(
    rows: Sequence[Row],
    seen: Visibility,
    judges: Sequence[str],
    lines: Mapping[str, tuple[str, bool]],
    photos: str,
) -> pyplot.Figure:
    """Protection against what is seen, a line for each method; defaults are large.

    Left through each network's own window, right the mean over all windows.

    Args:
      lines: Of each method its line, and whether it is the default there.
      photos: Name of the set.
    """
    figure, axes = pyplot.subplots(1, 2, figsize=(11, 4.2), sharey=True, layout="constrained")
    for axis, ways in zip(axes, ((OWN_WINDOW,), _WINDOWS[1:]), strict=True):
        points: dict[str, list] = {}
        for (of, method), quality in seen.items():
            if of != photos or not quality.get("dssim"):
                continue
            found = _some(rows, photos=photos, method=method, kind="window")
            found = [row for row in found if row.recogniser in judges]
            shares = [
                row.figures["rank5_ut"][0]
                for way in ways
                for row in _through(found, way)
                if row.figures["rank5_ut"]
            ]
            name, default = lines.get(method, (method, True))
            points.setdefault(name, []).append(
                (quality["dssim"]["value"], float(np.mean(shares)), default, method)
            )
        for name, some in points.items():
            some.sort()
            x, y, default, _ = zip(*some, strict=True)
            (drawn,) = axis.plot(x, y, "o-", markersize=4, label=name)
            large = [(a, b) for a, b, c in zip(x, y, default, strict=True) if c]
            axis.plot(*zip(*large, strict=True), "o", markersize=9, color=drawn.get_color())
        axis.set_xlabel("what is seen: DSSIM in the face's box")
        axis.set_ylim(-0.03, 1.03)
        axis.set_xlim(left=0)
        axis.grid(alpha=0.3)
    axes[0].set_title("through each network's own window")
    axes[1].set_title("mean over the windows of all programs")
    axes[0].set_ylabel("Rank-5-UT, networks never seen")
    axes[1].legend(loc="lower right")
    return figure


def _by_set(
    rows: Sequence[Row], header: Sequence[str], line: Callable[[str, str], list[str]]
) -> str:
    lines = []
    for photos, method in dict.fromkeys((row.photos, row.method) for row in rows):
        cells = line(photos, method)
        if any(cell != NONE for cell in cells):
            lines.append([f"{photos}: {method}", *cells])
    return _table(header, lines)


def _through(rows: Sequence[Row], window: str) -> list[Row]:
    """Rows through a window; where it is a network's own that one's."""
    there = {row.recogniser: row for row in rows if row.way == window}
    own = {row.recogniser: row for row in rows if row.way == OWN_WINDOW}
    return [there.get(name, row) for name, row in own.items()]


def _some(rows: Iterable[Row], **wanted: str) -> list[Row]:
    return [row for row in rows if all(getattr(row, k) == v for k, v in wanted.items())]


def _values(rows: Sequence[Row], figure: str) -> list[float]:
    return [value[0] for row in rows if (value := row.figures.get(figure)) is not None]


def _means(rows: Sequence[Row], figures: Sequence[str]) -> str:
    shares = [_values(rows, figure) for figure in figures]
    return " / ".join(f"{np.mean(some):.2f}" if some else NONE for some in shares) if rows else NONE


def _spread(rows: Sequence[Row], figure: str) -> str:
    """The mean, and the least and the greatest of the networks'."""
    values = _values(rows, figure)
    if not values:
        return NONE
    return f"{np.mean(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def _cell(rows: Sequence[Row], method: str) -> str:
    if not rows:
        return NONE
    text = _means(rows, ("recognised", "rank1_ut", "rank5_ut"))
    return text if rows[0].held_out or method == UNPROTECTED else f"[{text}]"


def _value(found: Any, form: str) -> str:
    value = found["value"] if isinstance(found, Mapping) else found
    return NONE if value is None else format(value, form)


def _table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    return table.ruled(header, *lines) + "\n"
