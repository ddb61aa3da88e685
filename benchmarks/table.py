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

    def cell(row, name, form):
        value = row.get(name)
        return "–" if value is None else format(value, form)

    lines = [[heading for heading, _ in columns.values()]]
    lines += [[cell(row, name, form) for name, (_, form) in columns.items()] for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    left = [isinstance(rows[0].get(name), str) if rows else False for name in columns]
    return "\n".join(
        "  ".join(
            part.ljust(width) if at_left else part.rjust(width)
            for part, width, at_left in zip(line, widths, left, strict=True)
        ).rstrip()
        for line in lines
    )


def save(path: str | Path, machine: Row, rows: Sequence[Row]) -> None:
    """Writes the rows and what machine they are of."""
    Path(path).write_text(json.dumps({"machine": machine, "rows": rows}, indent=1) + "\n")


def ratios(
    rows: Sequence[Row], path: str | Path, keys: Sequence[str], figure: str
) -> list[float | None]:
    """Of each row, `figure` over that of the row in the file with the same `keys`, if it has one.

    Raises:
      ValueError: the file is none that `save` wrote.
    """

    def key(row):
        return tuple(row[name] for name in keys)

    try:
        before = {key(row): row[figure] for row in json.loads(Path(path).read_text())["rows"]}
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} holds no rows of this benchmark ({error!r})") from error
    return [row[figure] / before[key(row)] if key(row) in before else None for row in rows]
