"""Protection against what is seen of it: methods, strengths and other tools, in one table.

    make scoreboard LFW=lfw.tgz ROLES=protocol.json
    python -m benchmarks.scoreboard --quick
    python -m benchmarks.scoreboard --folder fawkes=out/fawkes --method strong

Masks are made in whole photos and saved as the command saves them; the files are judged by
`tipim_jax.evaluate`: by all networks through all windows, by whole programs (after `make
programs`), posted and filtered, and by the other threats. Everything is kept in --output: a second
run goes on. scoreboard.json holds every row, index.html the tables and the curve, and with --docs
the tables in a Markdown file are written anew, between `<!-- scoreboard: NAME -->` and
`<!-- end -->`.

Another tool's photos go into FOLDER/lfw/probes or FOLDER/people/probes, and are called as those in
OUTPUT/lfw/clean/probes and OUTPUT/people/clean/probes, which are there after a first run.
"""

import argparse
import dataclasses
import json
import re
import shutil
from pathlib import Path

from benchmarks import machine
from benchmarks.scoreboard import sets
from benchmarks.scoreboard.judging import UNPROTECTED, Row, Ways, judged
from benchmarks.scoreboard.masks import METHODS, make_masks
from benchmarks.scoreboard.tables import curve, markdown
from tipim_jax.configuration import SettingsError
from tipim_jax.console import Console
from tipim_jax.evaluate.programs.environment import interpreter
from tipim_jax.identification import Recogniser
from tipim_jax.photos import write_whole
from tipim_jax.progress import Bars
from tipim_jax.report import png_picture, render
from tipim_jax.report.drawing import save
from tipim_jax.runtime import configure
from weights_convert import ConversionError

# No method's masks are made against the first three; the others look through windows of programs
# that masks were not made in.
JUDGES = ("w600k", "edgeface", "lightcnn")
NETWORKS = (*JUDGES, "sface", "dlib")
POSTED_TO = ("w600k", "edgeface")
THREATENED = ("strong",)  # whose further photos are protected, of the bundled people
POSTED = ("strong", "fast, ε = 12")  # and judged by whole programs
QUICK = ("strong", "the authors' code, nearest target, ε = 12")
_PLACE = "<!-- scoreboard: {} -->\n{}<!-- end -->"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lfw", type=Path, metavar="PLACE", help="LFW, or a part; default: none")
    parser.add_argument("--roles", type=Path, metavar="FILE", help="who of LFW may be what")
    parser.add_argument("--probes", type=int, default=100, help="people of LFW (default: 100)")
    parser.add_argument("--people", type=int, default=60, help="bundled ones (default: 60)")
    parser.add_argument("--method", action="append", choices=METHODS, help="default: all")
    parser.add_argument(
        "--folder", action="append", default=[], metavar="NAME=DIR", help="another tool's photos"
    )
    parser.add_argument("--quick", action="store_true", help="ten minutes: a few bundled people")
    parser.add_argument("--docs", type=Path, metavar="FILE", help="Markdown to write tables into")
    parser.add_argument("--output", type=Path, default=Path("out/scoreboard"))
    options = parser.parse_args()
    if options.quick:
        options.people, options.lfw = min(options.people, 12), None
    configure()
    console = Console(stderr=True)
    photos = [sets.bundled_people(options.output, options.people)] if options.people else []
    if options.lfw:
        photos.append(sets.lfw(options.output, options.lfw, options.roles, options.probes))
    networks = _networks(console)
    posted_to = tuple(name for name in POSTED_TO if name in networks) or networks[:1]
    rows: dict[tuple[str, ...], Row] = {}
    seen, with_programs = {}, not options.quick and _programs_are_there()
    chosen = options.method or (QUICK if options.quick else METHODS)
    for part in photos:
        for name, masks, surrogates in _folders(part, chosen, options, console):
            found, quality = judged(
                part,
                masks,
                name,
                surrogates,
                Ways(
                    networks=networks,
                    posted_to=() if options.quick or name not in POSTED else posted_to,
                    threats=_threatened(part, name),
                    programs=with_programs and name in POSTED,
                ),
                options.output / part.name / "judged" / name,
                console,
            )
            for row in found:  # a tool that lost photos is no measure of unprotected ones
                key = (row.photos, row.method, row.kind, row.way, row.recogniser)
                rows[key] = rows.get(key, row) if row.method == UNPROTECTED else row
            seen[part.name, name] = quality
            _write([*rows.values()], seen, photos, options)
    print(options.output / "index.html")


def _networks(console: Console) -> tuple[str, ...]:
    """Those whose weights can be had, and whose licence the user has accepted."""
    found = []
    for name in NETWORKS:
        try:
            Recogniser.load(name)
        except ConversionError as error:
            console.one_line(f"{name} does not judge: {error}")
        else:
            found.append(name)
    return tuple(found)


def _programs_are_there() -> bool:
    try:
        interpreter()
    except SettingsError:
        return False
    return True


def _threatened(part: sets.Photos, name: str) -> bool:
    return part.name == "people" and name in THREATENED


def _folders(part, chosen, options, console):
    """Name, folder and surrogates of each method's protected photos."""
    for name in chosen:
        place = options.output / part.name / "masks" / name
        with Bars(console) as bars:
            others = _threatened(part, name)
            made = make_masks(METHODS[name], part, place, others=others, add_bar=bars.add)
        for source, reason in made.missed.items():
            console.one_line(f"{name}: {source}: {reason}")
        yield name, place, METHODS[name].surrogates
    for folder in options.folder:
        name, _, place = folder.partition("=")
        if (Path(place) / part.name).is_dir():
            yield name, Path(place) / part.name, ()


def _write(rows, seen, photos, options) -> None:
    tables = markdown(rows, seen, JUDGES)
    data = {
        "machine": machine.describe(),
        "sets": {part.name: part.about for part in photos},
        "seen": [{"photos": p, "method": m} | quality for (p, m), quality in seen.items()],
        "rows": [dataclasses.asdict(row) for row in rows],
    }
    lines = {name: (method.line, method.default) for name, method in METHODS.items()}
    figures = {}
    for part in dict.fromkeys(part for part, _ in seen):
        picture = save(curve(rows, seen, JUDGES, lines, part), options.output, f"curve_{part}")
        if options.docs:
            shutil.copy(picture, options.docs.parent)
        figures[picture] = f"{part}: the further up and to the left, the better"
    page = render(
        "sweep.html.j2",
        title="Protection, and what is seen of it",
        about=[part.about for part in photos],
        tables="\n".join(f"{name}\n{table}" for name, table in tables.items()),
        figures=[(png_picture(path), caption) for path, caption in figures.items()],
        faces=[],
    )
    for name, text in (("scoreboard.json", json.dumps(data, indent=1)), ("index.html", page)):
        with write_whole(options.output / name) as stream:
            stream.write(text.encode())
    if options.docs:
        text = options.docs.read_text(encoding="utf-8")
        for name, table in tables.items():
            place = re.compile(_PLACE.format(name, ".*?"), re.DOTALL)
            text = place.sub(lambda _, n=name, t=table: _PLACE.format(n, t), text)
        with write_whole(options.docs) as stream:
            stream.write(text.encode())
