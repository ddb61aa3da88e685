"""What recognisers achieve in other ways than by searching a gallery of clean photos."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tipim_jax.configuration import SettingsError
from tipim_jax.evaluate.pairs import Posted
from tipim_jax.evaluate.threat_words import THREATS
from tipim_jax.identification import (
    HARMS,
    Estimate,
    Judge,
    Threat,
    classifier_threats,
    threats,
)
from tipim_jax.photos import write_whole
from tipim_jax.report.tables import Table, as_text, chance

_ABOUT = ("classes", "trained_least", "trained_most")
_FOOTNOTE = """\
Shares of the photos, unprotected → protected, with 95 % intervals. Photos of a person are alike:
intervals are as wide as with a single photo of each. A photo's own copy never counts as another
photo of the person. Chance: the share of the pairs of different people among these faces,
unprotected, that are taken for one person. In brackets: the masks were made against this
recogniser.
"""


@dataclass(frozen=True)
class ThreatRow:
    """What one recogniser achieves by one threat.

    Attributes:
      threat: name in `THREATS`.
      held_out: whether the masks were made without the recogniser, as far as is known.
    """

    threat: str
    recogniser: str
    held_out: bool
    found: Threat


def write_threats(
    judges: Mapping[str, Judge], photos: Posted, surrogates: Sequence[str], folder: Path
) -> str:
    """Judges the photos, and writes threats.json, .csv and .txt.

    Args:
      judges: the gallery as each recogniser sees it.
      photos: the faces as they were saved, of all the people that the judges' roster has.
      surrogates: networks that the masks were made against.
      folder: for the files.

    Returns:
      The tables in plain text.

    Raises:
      SettingsError: there are too few people to choose a threshold by.
    """
    rows = []
    for name, judge in judges.items():
        faces = photos.clean[name], photos.protected[name]
        try:
            found = threats(judge, *faces) | classifier_threats(judge, *faces)
        except ValueError as error:
            raise SettingsError(f"--threats: {error}") from None
        rows += [
            ThreatRow(threat, name, name not in surrogates, one) for threat, one in found.items()
        ]
    rows.sort(key=lambda row: [*THREATS].index(row.threat))
    text = as_text(_tables(rows)) + _FOOTNOTE
    contents = {"json": _json(rows), "csv": _csv(rows), "txt": text}
    for suffix, content in contents.items():
        with write_whole(folder / f"threats.{suffix}") as stream:
            stream.write(content.encode(errors="backslashreplace"))
    return text


def _tables(rows: Sequence[ThreatRow]) -> Iterator[Table]:
    for threat, words in THREATS.items():
        some = [row for row in rows if row.threat == threat]
        if not some:
            yield f"{threat}: too few photos of too few people", ["recogniser"], []
            continue
        figures = list(some[0].found.after)
        header = ["recogniser", "photos", "people", *(HARMS[name] for name in figures)]
        lines = [
            [
                row.recogniser if row.held_out else f"[{row.recogniser}]",
                str(row.found.photos),
                str(row.found.people),
                *(_change(row.found, name) for name in figures),
            ]
            for row in some
        ]
        yield f"{threat}: {words}{_classes(some[0].found)}", header, lines


def _classes(found: Threat) -> str:
    if not found.about:
        return ""
    classes, least, most = (found.about[name] for name in _ABOUT)
    photos = f"{least} to {most}" if least < most else str(most)
    return f" ({classes} people, trained on {photos} clean photos of each)"


def _change(found: Threat, name: str) -> str:
    change = " → ".join(_shown(figures[name]) for figures in (found.before, found.after))
    threshold = found.thresholds.get(name)
    return change if threshold is None else f"{change}, chance {chance(threshold.false_match_rate)}"


def _shown(figure: Estimate | None) -> str:
    if figure is None:
        return "–"
    return f"{figure.value:.2f} [{figure.low:.2f}, {figure.high:.2f}]"


def _json(rows: Sequence[ThreatRow]) -> str:
    flat = [
        {"threat": row.threat, "recogniser": row.recogniser, "held_out": row.held_out}
        | asdict(row.found)
        for row in rows
    ]
    return json.dumps(flat, indent=1) + "\n"


def _csv(rows: Sequence[ThreatRow]) -> str:
    """A line for each threat, recogniser and figure."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    bounds = [f"{when}{bound}" for when in ("before", "after") for bound in ("", "_low", "_high")]
    header = ["threat", "recogniser", "held_out", "photos", "people", "figure", *bounds]
    writer.writerow([*header, "threshold", "false_match_rate", *_ABOUT])
    for row in rows:
        found = row.found
        for name in found.after:
            values = []
            for figure in (found.before[name], found.after[name]):
                values += [figure.value, figure.low, figure.high] if figure else [None] * 3
            threshold = found.thresholds.get(name)
            values += [threshold.cosine, threshold.false_match_rate] if threshold else [None, None]
            values += [found.about.get(about) for about in _ABOUT]
            about = [row.threat, row.recogniser, int(row.held_out), found.photos, found.people]
            writer.writerow([*about, name, *values])
    return stream.getvalue()
