"""Figures of a sweep, drawn with matplotlib: each as PNG and SVG."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float

from tipim_jax.identification import FIGURES, Estimate
from tipim_jax.report import Measurement
from tipim_jax.report.drawing import heat_map, pyplot, save
from tipim_jax.report.tables import is_clean, label, shares

_CURVES = ("rank1_t", "rank5_t", "rank1_ut", "rank5_ut")
_QUALITY = {"psnr": "PSNR, dB", "ssim": "SSIM", "mmd": "MMD"}


def draw(rows: Sequence[Measurement], folder: Path) -> dict[Path, str]:
    """Writes every figure that the rows give; returns the PNGs in order, each with what it shows.

    For each surrogate and method that was run at several γ: Rank-N-T and Rank-N-UT by each
    recogniser, and the quality, against γ. For every γ, a matrix of surrogates and recognisers.
    And the CMC curves at the smallest γ, beside those of unprotected faces.
    """
    figures = enumerate(_figures(rows), start=1)
    return {
        save(make(), folder, f"{number:02d}-{name}"): shows
        for number, (name, shows, make) in figures
    }


def _figures(rows: Sequence[Measurement]) -> Iterator[tuple[str, str, Callable]]:
    """The name of each figure, what it shows, and what draws it."""
    protected = [row for row in rows if not is_clean(row)]
    gammas = sorted({row.about["gamma"] for row in protected})
    for gamma in gammas:
        chosen = [row for row in protected if row.about["gamma"] == gamma]
        if len(chosen) > 1:
            for names in (("rank1_t", "rank5_t"), ("rank1_ut", "rank5_ut")):
                shows = f"{_titles(names)} of every cell by every recogniser, γ = {gamma:g}"
                yield "matrix", shows, partial(_matrix, chosen, names, gamma)
    for curve in _curves(protected):
        of = label(curve[0])
        yield "gamma", f"Rank-N-T and Rank-N-UT against γ: {of}", partial(_against_gamma, curve)
        shows = f"{', '.join(_QUALITY.values())} against γ: {of}"
        yield "gamma", shows, partial(_quality_against_gamma, curve)
    if gammas:
        chosen = [row for row in rows if is_clean(row) or row.about["gamma"] == gammas[0]]
        shows = f"Share of probes whose identity is among the N nearest, γ = {gammas[0]:g}"
        yield "cmc", shows, partial(_cmc, chosen)


def _titles(names: Sequence[str]) -> str:
    return " / ".join(FIGURES[name] for name in names)


def _curves(rows: Sequence[Measurement]) -> list[list[Measurement]]:
    """Rows that differ in γ alone, in its order."""
    groups: dict[str, list[Measurement]] = {}
    for row in rows:
        rest = {
            name: v
            for name, v in row.about.items()
            if name not in ("gamma", "folder", "no_face_found")
        }
        rest["settings"] = {k: v for k, v in rest["settings"].items() if k != "gamma"}
        groups.setdefault(str(rest), []).append(row)
    curves = [sorted(group, key=lambda row: row.about["gamma"]) for group in groups.values()]
    return [curve for curve in curves if len(curve) > 1]


def _against_gamma(rows: Sequence[Measurement]):
    figure, axes = pyplot.subplots(
        2, 2, figsize=(9, 6.4), sharex=True, sharey=True, layout="constrained"
    )
    x = range(len(rows))
    for axis, name in zip(axes.flat, _CURVES, strict=True):
        for recogniser, found in rows[0].recognisers.items():
            values = _bounds([row.recognisers[recogniser].figures[name] for row in rows])
            style = "-" if found.held_out else "--"
            (line,) = axis.plot(x, values[0], style, marker="o", markersize=3, label=recogniser)
            axis.fill_between(x, values[1], values[2], alpha=0.1, color=line.get_color())
        axis.set_title(FIGURES[name])
        axis.set_ylim(-0.02, 1.02)
        axis.set_xticks(x, [f"{row.about['gamma']:g}" for row in rows])
    for axis in axes[1]:
        axis.set_xlabel("γ")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right")
    figure.suptitle(f"{label(rows[0])}; dashed: white box; shaded: 95 % interval")
    return figure


def _quality_against_gamma(rows: Sequence[Measurement]):
    figure, axes = pyplot.subplots(1, 3, figsize=(9, 3), layout="constrained")
    x = range(len(rows))
    for axis, (name, title) in zip(axes, _QUALITY.items(), strict=True):
        values = _bounds([row.quality[name] for row in rows])
        axis.plot(x, values[0], marker="o", markersize=3)
        axis.fill_between(x, values[1], values[2], alpha=0.2)
        axis.set_title(title)
        axis.set_xlabel("γ")
        axis.set_xticks(x, [f"{row.about['gamma']:g}" for row in rows])
    figure.suptitle(label(rows[0]))
    return figure


def _bounds(estimates: Sequence[Estimate | None]) -> Float[np.ndarray, "3 estimates"]:
    """Values, lower and upper bounds; NaN for what does not exist."""
    nothing = Estimate(np.nan, np.nan, np.nan)
    return np.array([dataclasses.astuple(one or nothing) for one in estimates]).T


def _matrix(rows: Sequence[Measurement], names: tuple[str, str], gamma: float):
    recognisers = list(rows[0].recognisers)
    values = np.array(
        [_bounds([row.recognisers[r].figures[names[0]] for r in recognisers])[0] for row in rows]
    )
    texts = [[shares(row, recogniser, names) for recogniser in recognisers] for row in rows]
    size = (1.6 + 1.05 * len(recognisers), 1.2 + 0.45 * len(rows))
    figure, axis = pyplot.subplots(figsize=size, layout="constrained")
    heat_map(axis, values, texts, recognisers)
    axis.set_yticks(range(len(rows)), [label(row) for row in rows])
    axis.set_title(f"{_titles(names)}, γ = {gamma:g}")
    return figure


def _cmc(rows: Sequence[Measurement]):
    recognisers = list(rows[0].recognisers)
    columns = min(3, len(recognisers))
    lines = -(-len(recognisers) // columns)
    figure, axes = pyplot.subplots(
        lines,
        columns,
        figsize=(3.2 * columns + 1.5, 2.6 * lines),
        squeeze=False,
        sharey=True,
        layout="constrained",
    )
    for axis in axes.flat[len(recognisers) :]:
        axis.set_axis_off()
    for axis, recogniser in zip(axes.flat, recognisers, strict=False):
        for row in rows:
            cmc = row.recognisers[recogniser].cmc
            style = "k-" if is_clean(row) else "-"
            axis.plot(range(1, len(cmc) + 1), cmc, style, label=label(row), linewidth=1.2)
        axis.set_title(recogniser)
        axis.set_ylim(-0.02, 1.02)
        axis.set_xlabel("N")
    for axis in axes[:, 0]:
        axis.set_ylabel("true identity within N")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right")
    return figure
