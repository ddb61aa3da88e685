"""What `tipim_jax.evaluate` says of each folder of protected photos, as rows of one table."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.scoreboard.sets import Photos
from tipim_jax.console import Console
from tipim_jax.evaluate.run import run
from tipim_jax.evaluate.settings import Evaluate
from tipim_jax.evaluate.windows import parts_of
from tipim_jax.identification.visibility import in_box
from tipim_jax.photos import YUNET, FaceDetector, central_face, find_photos, read_photo, write_whole
from weights_convert import obtain

UNPROTECTED = "unprotected"
_DONE = "judged"


@dataclass(frozen=True)
class Row:
    """What one recogniser makes of one folder of photos in one way.

    Attributes:
      photos: Name of the set.
      method: Whose masks they have; `UNPROTECTED`.
      kind: What `way` names: "window" or "program" that looks, "posting" that the photos went
        through, or "threat".
      way: Its name.
      recogniser: Network that judges; the program's name.
      held_out: Whether the masks were made without it.
      figures: Value and bounds of the 95 % interval, by name; None for what does not exist.
    """

    photos: str
    method: str
    kind: str
    way: str
    recogniser: str
    held_out: bool
    figures: dict[str, tuple[float, float, float] | None]


@dataclass(frozen=True)
class Ways:
    """In what ways photos are judged.

    Attributes:
      networks: That look through all windows, and search.
      posted_to: Networks that are shown posted and filtered photos; none: nothing is posted.
      threats: Whether the other threats are measured.
      programs: Whether whole programs judge.
    """

    networks: tuple[str, ...]
    posted_to: tuple[str, ...]
    threats: bool
    programs: bool


def judged(
    photos: Photos,
    masks: Path,
    name: str,
    surrogates: Sequence[str],
    ways: Ways,
    output: Path,
    console: Console,
) -> tuple[list[Row], dict[str, Any]]:
    """All rows of one folder of protected photos, and what is seen of its masks.

    What was judged before, and has not changed since, is read from `output`.

    Args:
      masks: Folder of `probes`, and, for threats, `others`.
      name: Of the method.
      surrogates: Networks that the masks were made against; none where that is not known.
    """
    files = [file for file in sorted(masks.rglob("*")) if _is_photo(file, masks)]
    digest = hashlib.sha256(photos.digest.encode())
    for file in files:
        digest.update(file.read_bytes())
    content = digest.hexdigest()
    rows: list[Row] = []
    common = dict(gallery=photos.gallery, targets=photos.targets, surrogate=tuple(surrogates))
    probes = common | {"protected": masks / photos.probes.name, "clean": photos.probes}
    search = Evaluate(
        **probes,
        recogniser=ways.networks,
        all_windows=True,
        programs=ways.programs,
        output=output / "search",
    )
    _evaluate(search, content, console)
    for which, one in (("clean", UNPROTECTED), ("results", name)):
        found = json.loads((search.output / f"{which}.json").read_text())
        rows += _of_search(photos.name, one, found["recognisers"], ways.networks)
    seen = found["quality"] | {"probes": found["probes"], "lost": found["about"]["no_face_found"]}
    if ways.posted_to:
        posting = Evaluate(
            **probes, recogniser=ways.posted_to, posting=True, output=output / "posted"
        )
        _evaluate(posting, content, console)
        for found in json.loads((posting.output / "posting.json").read_text()):
            one = UNPROTECTED if found["about"]["method"] == "clean" else name
            way = found["about"]["posting"]
            rows += _rows(photos.name, one, "posting", way, found["recognisers"])
    if ways.threats and (masks / photos.others.name).is_dir():
        threats = Evaluate(
            **common | {"protected": masks, "clean": photos.protected},
            recogniser=ways.networks,
            threats=True,
            output=output / "threats",
        )
        _evaluate(threats, content, console)
        for found in json.loads((threats.output / "threats.json").read_text()):
            for one, when in ((UNPROTECTED, "before"), (name, "after")):
                rows.append(
                    Row(
                        photos.name,
                        one,
                        "threat",
                        found["threat"],
                        found["recogniser"],
                        found["held_out"],
                        {figure: _bounds(value) for figure, value in found[when].items()}
                        | {"photos": (found["photos"],) * 3, "people": (found["people"],) * 3},
                    )
                )
    return rows, seen | {"flip": flip(photos.probes, masks / photos.probes.name)}


def flip(clean: Path, protected: Path) -> float | None:
    """Mean of FLIP in the faces' boxes: what is seen on flicking between the two pictures.

    Andersson et al. 2020, at 67 pixels a degree, which is a screen at arm's length; in [0, 1].
    None where `flip-evaluator` is not installed (`make scoreboard` does that).
    """
    try:
        import flip_evaluator
    except ImportError:
        return None
    detector, found = FaceDetector(obtain(YUNET)), []
    copies = {file.relative.with_suffix(""): file.source for file in find_photos([protected])}
    for file in find_photos([clean]):
        copy = copies.get(file.relative.with_suffix(""))
        if copy is None:
            continue
        before, after = read_photo(file.source).pixels, read_photo(copy).pixels
        if faces := detector.detect(before):
            box = central_face(faces, before).box
            both = (in_box(pixels, box).astype(np.float32) / 255 for pixels in (before, after))
            found.append(flip_evaluator.evaluate(*both, "LDR")[1])
    return float(np.mean(found)) if found else None


def _evaluate(settings: Evaluate, content: str, console: Console) -> None:
    """Runs the command, but where it has been run with the same settings and photos."""
    key = f"{content} {settings}"
    done = settings.output / _DONE
    if not (done.is_file() and done.read_text(encoding="utf-8") == key):
        settings.output.mkdir(parents=True, exist_ok=True)
        run(settings, console)
        with write_whole(done) as stream:
            stream.write(key.encode())


def _of_search(
    photos: str, method: str, recognisers: Mapping[str, Any], networks: Sequence[str]
) -> Iterator[Row]:
    for name, found in recognisers.items():
        network, window = parts_of(name)
        kind, way = ("window", window) if network in networks else ("program", name)
        yield from _rows(photos, method, kind, way, {network: found})


def _rows(
    photos: str, method: str, kind: str, way: str, recognisers: Mapping[str, Any]
) -> Iterator[Row]:
    for name, found in recognisers.items():
        figures = {figure: _bounds(value) for figure, value in found["figures"].items()}
        if threshold := found["thresholds"].get("recognised"):
            rate = threshold["false_match_rate"]
            figures["false_match_rate"] = None if rate is None else (rate,) * 3
        yield Row(photos, method, kind, way, name, found["held_out"], figures)


def _bounds(value: Mapping[str, float] | None) -> tuple[float, float, float] | None:
    return (value["value"], value["low"], value["high"]) if value else None


def _is_photo(file: Path, masks: Path) -> bool:
    """Not the record of what is done."""
    return file.is_file() and not any(
        part.startswith(".") for part in file.relative_to(masks).parts
    )
