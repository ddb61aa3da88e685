"""Measurements as tables: text for people, CSV for programs, LaTeX for papers."""

import csv
import io
from collections.abc import Iterable, Sequence

from tipim_jax.identification import FIGURES, SEEN, WITH_THRESHOLD, Estimate
from tipim_jax.report.measurement import Measurement

# What a measurement may say of its cell and of the search, in the order of the columns.
ABOUT = (
    *("surrogates", "method", "gamma", "epsilon", "iterations", "seed", "masks"),
    *("distractor_photos", "drawn_distractors"),
)
# The figures of each table, which the paper prints as `a/b`.
_TABLES = {
    "Rank-1-T / Rank-5-T": ("rank1_t", "rank5_t"),
    "Rank-1-UT / Rank-5-UT": ("rank1_ut", "rank5_ut"),
    "Recognised at the recogniser's own threshold": ("recognised",),
    "PSR at FAR 0.01 / 0.001": ("success_far_0.01", "success_far_0.001"),
}
# Title, header, lines.
Table = tuple[str, Sequence[str], Sequence[Sequence[str]]]
_QUALITY = {
    **{"psnr": "PSNR, dB", "ssim": "SSIM", "mmd": "MMD", "difference": "greatest"},
    **SEEN,
    "worst_dssim": "the worst face's",
}
_LATEX = {"γ": r"$\gamma$", "ε": r"$\epsilon$", "–": "--", "−": "$-$", "→": r"$\to$"}


def text_tables(rows: Sequence[Measurement]) -> str:
    """All tables, one below the other, in plain text."""
    return as_text(_tables(rows)) + footnote(rows)


def latex_tables(rows: Sequence[Measurement]) -> str:
    """The same tables with booktabs' rules."""
    return as_latex(_tables(rows))


def footnote(rows: Sequence[Measurement]) -> str:
    """What brackets and false match rates mean, and how many faces there are."""
    return (
        "White box in brackets: the masks were made against this recogniser. "
        f"{rows[0].probes if rows else 0} probes.\n"
        "False match rate: what chance gives, the share of the pairs of different people among "
        "these faces, unprotected, that reach the threshold.\n"
    )


def as_text(tables: Iterable[Table]) -> str:
    """Tables in plain text, an empty line after each."""
    parts = []
    for title, header, lines in tables:
        widths = [max(map(len, column)) for column in zip(header, *lines, strict=True)]
        parts.append(title)
        parts += [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in (header, ["─" * width for width in widths], *lines)
        ]
        parts.append("")
    return "".join(f"{part}\n" for part in parts)


def as_latex(tables: Iterable[Table]) -> str:
    """Tables in LaTeX, with booktabs' rules."""
    parts = []
    for title, header, lines in tables:
        columns = "l" * len(header)
        body = "\n".join(" & ".join(map(_latex, line)) + r" \\" for line in lines)
        parts.append(
            "\\begin{table}\n"
            f"\\caption{{{_latex(title)}}}\n"
            f"\\begin{{tabular}}{{{columns}}}\n\\toprule\n"
            f"{' & '.join(map(_latex, header))} \\\\\n\\midrule\n{body}\n\\bottomrule\n"
            "\\end{tabular}\n\\end{table}\n"
        )
    return "% needs \\usepackage{booktabs}\n" + "\n".join(parts)


def csv_table(rows: Sequence[Measurement], about: Sequence[str] = ABOUT) -> str:
    """One line for each measurement and recogniser: every figure with the bounds of its interval.

    Beside those that depend on a threshold stand that and its false match rate.

    Args:
      rows: the results.
      about: what of `Measurement.about` has a column.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    header = [*about, "probes", "recogniser", "held_out"]
    for name in (*FIGURES, *_QUALITY):
        header += [name, f"{name}_low", f"{name}_high"]
        if name in WITH_THRESHOLD:
            header += [f"{name}_threshold", f"{name}_false_match_rate"]
    writer.writerow(header)
    for row in rows:
        for recogniser, recognition in row.recognisers.items():
            values = [row.probes, recogniser, "" if is_clean(row) else int(recognition.held_out)]
            figures = {**recognition.figures, **row.quality}
            for name in (*FIGURES, *_QUALITY):
                figure, threshold = figures.get(name), recognition.thresholds.get(name)
                values += [figure.value, figure.low, figure.high] if figure else [None] * 3
                if name in WITH_THRESHOLD:
                    values += (
                        [threshold.cosine, threshold.false_match_rate] if threshold else [None] * 2
                    )
            writer.writerow([*_about(row, about), *values])
    return stream.getvalue()


def is_clean(row: Measurement) -> bool:
    """Whether a measurement is of faces as they were."""
    return "surrogates" not in row.about


def label(row: Measurement) -> str:
    """What was measured in few words."""
    if is_clean(row):
        return "unprotected"
    return f"{'+'.join(row.about['surrogates'])}, {row.about['method']}"


def shares(row: Measurement, recogniser: str, names: Sequence[str]) -> str:
    """Some figures of one recogniser as `a/b`, in brackets where it is a white box."""
    recognition = row.recognisers.get(recogniser)
    if recognition is None:
        return "–"
    together = "/".join(_short(recognition.figures.get(name)) for name in names)
    return together if recognition.held_out or is_clean(row) else f"[{together}]"


def chance(rate: float | None) -> str:
    """A false match rate, with two digits that count."""
    return "–" if rate is None else f"{rate:.2g}"


def _tables(rows: Sequence[Measurement]) -> Iterable[Table]:
    """Columns in which all rows agree go into the title."""
    protected = [row for row in rows if not is_clean(row)]
    known = [name for name in ABOUT if all(name in row.about for row in protected)]
    varied = [name for name in known if len({str(row.about[name]) for row in protected}) > 1]
    varied = varied or ["method"]
    fixed = [name for name in known if name not in varied]
    same = ", ".join(f"{name} {_cell(protected[0].about[name])}" for name in fixed if protected)
    recognisers = list(dict.fromkeys(name for row in rows for name in row.recognisers))
    for title, names in _TABLES.items():
        lines = [
            [
                *_described(row, varied),
                *(shares(row, recogniser, names) for recogniser in recognisers),
            ]
            for row in rows
        ]
        if names[0] in WITH_THRESHOLD:
            first = ["false match rate", *[""] * (len(varied) - 1)]
            lines.insert(
                0, first + [_chances(rows, recogniser, names) for recogniser in recognisers]
            )
        yield f"{title} ({same})", [*varied, *recognisers], lines
    known = [name for name in _QUALITY if any(name in row.quality for row in protected)]
    lines = [
        [*_described(row, varied), *(_quality(row.quality.get(name), name) for name in known)]
        for row in protected
    ]
    yield f"What is seen of the masks ({same})", [*varied, *map(_QUALITY.get, known)], lines


def _chances(rows: Sequence[Measurement], recogniser: str, names: Sequence[str]) -> str:
    """The false match rates of one recogniser's thresholds: those of all rows are the same."""
    for row in rows:
        if recogniser in row.recognisers:
            thresholds = row.recognisers[recogniser].thresholds
            known = [thresholds[name].false_match_rate for name in names if name in thresholds]
            return "/".join(map(chance, known)) or "–"
    return "–"


def _described(row: Measurement, names: Sequence[str]) -> list[str]:
    if is_clean(row):
        return ["unprotected", *[""] * (len(names) - 1)][: len(names)]
    return [_cell(row.about[name]) for name in names]


def _about(row: Measurement, names: Sequence[str]) -> list[str]:
    return [_cell(row.about.get(name, "")) for name in names]


def _cell(value) -> str:
    if isinstance(value, list | tuple):
        return "+".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _quality(value: Estimate | None, name: str) -> str:
    """DSSIM is small: its third digit counts."""
    return f"{value.value:.3f}" if value and "ssim" in name else _short(value)


def _short(value: Estimate | None) -> str:
    if value is None:
        return "–"
    return f"{value.value:.4g}" if abs(value.value) > 1 else f"{value.value:.2f}"


def _latex(text: str) -> str:
    escaped = text.replace("&", r"\&").replace("_", r"\_").replace("%", r"\%")
    for sign, command in _LATEX.items():
        escaped = escaped.replace(sign, command)
    return escaped
