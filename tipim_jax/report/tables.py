"""Rows as tables: text for people, CSV for programs, LaTeX for papers."""

import csv
import io
from collections.abc import Iterable, Sequence

from tipim_jax.identification.judge import FIGURES
from tipim_jax.identification.row import Figure, Row

# What a row may say of its cell and of the search, in the order of the columns.
ABOUT = (
    *("surrogates", "method", "gamma", "epsilon", "iterations", "seed"),
    *("distractor_photos", "drawn_distractors", "search"),
)
# The pairs of figures that the paper prints as `a/b`, table by table.
PAIRS = {
    "Rank-1-T / Rank-5-T": ("rank1_t", "rank5_t"),
    "Rank-1-UT / Rank-5-UT": ("rank1_ut", "rank5_ut"),
    "PSR at FAR 0.01 / 0.001": ("success_far_0.01", "success_far_0.001"),
}
# Title, header, lines.
Table = tuple[str, Sequence[str], Sequence[Sequence[str]]]
_QUALITY = {"psnr": "PSNR, dB", "ssim": "SSIM", "mmd": "MMD", "difference": "greatest"}
_LATEX = {"γ": r"$\gamma$", "ε": r"$\epsilon$", "–": "--", "−": "$-$", "→": r"$\to$"}


def text_tables(rows: Sequence[Row]) -> str:
    """All tables, one below the other, in plain text."""
    return as_text(_tables(rows)) + footnote(rows)


def latex_tables(rows: Sequence[Row]) -> str:
    """The same tables with booktabs' rules."""
    return as_latex(_tables(rows))


def footnote(rows: Sequence[Row]) -> str:
    """What brackets mean, and how many faces there are."""
    return (
        "White box in brackets: the masks were made against this recogniser. "
        f"{rows[0].probes if rows else 0} probes.\n"
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


def csv_table(rows: Sequence[Row], about: Sequence[str] = ABOUT) -> str:
    """One line for each row and recogniser: every figure with the bounds of its interval.

    Args:
      rows: the results.
      about: what of `Row.about` has a column.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    names = [*FIGURES, *_QUALITY]
    bounds = [f"{name}{end}" for name in names for end in ("", "_low", "_high")]
    writer.writerow([*about, "probes", "recogniser", "held_out", *bounds])
    for row in rows:
        for recogniser, seen in row.recognisers.items():
            figures = {**seen.figures, **row.quality}
            values = [v for name in names for v in figures.get(name, (None,) * 3)]
            held_out = "" if is_clean(row) else int(seen.held_out)
            writer.writerow([*_about(row, about), row.probes, recogniser, held_out, *values])
    return stream.getvalue()


def is_clean(row: Row) -> bool:
    """Whether it is about faces as they were."""
    return "surrogates" not in row.about


def label(row: Row) -> str:
    """A row's cell in few words."""
    if is_clean(row):
        return "unprotected"
    return f"{'+'.join(row.about['surrogates'])}, {row.about['method']}"


def shares(row: Row, recogniser: str, names: Sequence[str]) -> str:
    """Some figures of one recogniser as `a/b`, in brackets where it is a white box."""
    seen = row.recognisers.get(recogniser)
    if seen is None:
        return "–"
    together = "/".join(_short(seen.figures[name]) for name in names)
    return together if seen.held_out or is_clean(row) else f"[{together}]"


def _tables(rows: Sequence[Row]) -> Iterable[Table]:
    """Columns in which all rows agree go into the title."""
    protected = [row for row in rows if not is_clean(row)]
    known = [name for name in ABOUT if all(name in row.about for row in protected)]
    varied = [name for name in known if len({str(row.about[name]) for row in protected}) > 1]
    varied = varied or ["method"]
    fixed = [name for name in known if name not in varied]
    same = ", ".join(f"{name} {_cell(protected[0].about[name])}" for name in fixed if protected)
    recognisers = list(dict.fromkeys(name for row in rows for name in row.recognisers))
    for title, pair in PAIRS.items():
        lines = [
            [
                *_described(row, varied),
                *(shares(row, recogniser, pair) for recogniser in recognisers),
            ]
            for row in rows
        ]
        yield f"{title} ({same})", [*varied, *recognisers], lines
    lines = [
        [*_described(row, varied), *(_short(row.quality.get(name)) for name in _QUALITY)]
        for row in protected
    ]
    yield f"Quality of the saved crops ({same})", [*varied, *_QUALITY.values()], lines


def _described(row: Row, names: Sequence[str]) -> list[str]:
    if is_clean(row):
        return ["unprotected", *[""] * (len(names) - 1)][: len(names)]
    return [_cell(row.about[name]) for name in names]


def _about(row: Row, names: Sequence[str]) -> list[str]:
    return [_cell(row.about.get(name, "")) for name in names]


def _cell(value) -> str:
    if isinstance(value, list | tuple):
        return "+".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _short(value: Figure | None) -> str:
    if value is None or value[0] is None:
        return "–"
    return f"{value[0]:.4g}" if abs(value[0]) > 1 else f"{value[0]:.2f}"


def _latex(text: str) -> str:
    escaped = text.replace("&", r"\&").replace("_", r"\_").replace("%", r"\%")
    for sign, command in _LATEX.items():
        escaped = escaped.replace(sign, command)
    return escaped
