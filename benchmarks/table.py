"""Results of a benchmark: rows as an aligned table, as JSON, and beside those of an earlier run."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

Row = Mapping[str, object]


def text(rows: Sequence[Row], columns: Mapping[str, tuple[str, str]]) -> str:
    """An aligned table; numbers to the right, "–" where a row has no value.

    Args:
      columns: of a row's entry, the heading and the format specification.
    """
    lines = _cells(rows, columns)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    left = [isinstance(rows[0].get(name), str) if rows else False for name in columns]
    return "\n".join(
        "  ".join(
            part.ljust(width) if at_left else part.rjust(width)
            for part, width, at_left in zip(line, widths, left, strict=True)
        ).rstrip()
        for line in lines
    )


def markdown(rows: Sequence[Row], columns: Mapping[str, tuple[str, str]]) -> str:
    """The same as `text`, in Markdown."""
    return ruled(*_cells(rows, columns))


def ruled(heading: Sequence[str], *lines: Sequence[str]) -> str:
    """A table of these cells, in Markdown."""
    whole = [heading, ["---"] * len(heading), *lines]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in whole)


def _cells(rows, columns):
    """The headings, and a line of every row."""

    def cell(row, name, form):
        value = row.get(name)
        return "–" if value is None else format(value, form).replace("|", "/")

    lines = [[cell(row, name, form) for name, (_, form) in columns.items()] for row in rows]
    return [[heading for heading, _ in columns.values()], *lines]


def save(path: str | Path, machine: Row, rows: Sequence[Row]) -> None:
    """Writes the rows and what machine they are of."""
    Path(path).write_text(json.dumps({"machine": machine, "rows": rows}, indent=1) + "\n")


def load(path: str | Path) -> list[Row]:
    """The rows of a file that `save` wrote.

    Raises:
      ValueError: it cannot be read, or holds something else.
    """
    try:
        return json.loads(Path(path).read_text())["rows"]
    except (OSError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} holds no rows of a benchmark ({error!r})") from error


def ratios(
    rows: Sequence[Row], before: Sequence[Row], keys: Sequence[str], figure: str
) -> list[float | None]:
    """Of each row, `figure` over that of the earlier row with the same `keys`, if there is one."""

    def key(row):
        return tuple(row[name] for name in keys)

    earlier = {key(row): row[figure] for row in before}
    return [row[figure] / earlier[key(row)] if key(row) in earlier else None for row in rows]
