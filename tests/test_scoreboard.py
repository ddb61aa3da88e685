"""The scoreboard: what its tables say of rows, and that it runs from photos to tables."""

import json
import sys

import pytest
from PIL import Image

from benchmarks.scoreboard import __main__ as scoreboard
from benchmarks.scoreboard import tables
from benchmarks.scoreboard.judging import UNPROTECTED, Row
from benchmarks.scoreboard.masks import METHODS
from benchmarks.scoreboard.sets import bundled_people
from tipim_jax.evaluate.windows import OWN as OWN_WINDOW

JUDGES = ("a", "b")


def test_no_mask_is_made_against_a_judge():
    for name in scoreboard.JUDGES:
        assert not any(name in method.surrogates for method in METHODS.values())
    assert {*scoreboard.THREATENED, *scoreboard.POSTED, *scoreboard.QUICK} <= {*METHODS}


def row(method, way, recogniser, *, kind="window", held_out=True, **shares):
    figures = {name: (share, share - 0.1, share + 0.1) for name, share in shares.items()}
    missing = dict.fromkeys(("recognised", "rank1_ut", "rank5_ut", "success_far_0.01"))
    return Row("set", method, kind, way, recogniser, held_out, missing | figures)


ROWS = [
    row(UNPROTECTED, OWN_WINDOW, "a", rank1_ut=0.0, rank5_ut=0.0, recognised=1.0),
    row("m", OWN_WINDOW, "a", rank1_ut=0.9, rank5_ut=0.6, recognised=0.2),
    row("m", OWN_WINDOW, "b", rank1_ut=0.7, rank5_ut=0.4, recognised=0.4),
    row("m", OWN_WINDOW, "white", rank1_ut=1.0, rank5_ut=1.0, recognised=0.0, held_out=False),
    row("m", "eyes", "a", rank1_ut=0.3, rank5_ut=0.2),
    row("m", "eyes", "b", rank1_ut=0.1, rank5_ut=0.0),
    row("m", "JPEG 50", "a", kind="posting", rank1_ut=0.5, rank5_ut=0.25),
    row("m", "both", "a", kind="threat", found_first=0.9, found_in_five=1.0, photos=9, people=3),
    row("m", "program", "program", kind="program", recognised=0.35, rank1_ut=0.6, rank5_ut=0.5),
]
SEEN = {("set", "m"): {"dssim": {"value": 0.0312}, "worst_dssim": {"value": 0.05}, "flip": None}}


def cells(table, start):
    line = next(line for line in table.splitlines() if line.startswith(f"| {start}"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_means_are_over_networks_that_no_mask_was_made_against():
    found = tables.markdown(ROWS, SEEN, JUDGES)
    line = cells(found["methods"], "set: m")
    assert line[1:3] == ["0.031", "0.050"] and line[6] == tables.NONE
    assert line[7] == "0.80 (0.70 to 0.90)"  # without the white box
    assert cells(found["methods"], f"set: {UNPROTECTED}")[1] == tables.NONE
    assert cells(found["networks"], "set: m")[1:] == [
        "0.20 / 0.90 / 0.60", "0.40 / 0.70 / 0.40", "[0.00 / 1.00 / 1.00]",
    ]  # fmt: skip


def test_a_window_that_nobody_else_looked_through_is_the_networks_own():
    line = cells(tables.windows(ROWS, JUDGES), "set: m")
    assert line[1] == "0.80 / 0.50 / –" and line[2] == line[1]
    assert line[3] == "0.20 / 0.10 / –"


def test_postings_threats_and_programs_have_a_table_each():
    found = tables.markdown(ROWS, SEEN, JUDGES)
    assert cells(found["posting"], "JPEG 50")[1:] == ["0.50 / 0.25"]
    assert cells(found["threats"], "both")[:2] == ["both (9 photos of 3 people)", "0.90 / 1.00"]
    assert cells(found["programs"], "set: m")[1:] == ["0.35 / 0.60 / 0.50"]


def test_the_curve_has_a_point_for_each_method_that_is_seen():
    figure = tables.curve(ROWS, SEEN, JUDGES, {"m": ("line", True)}, "set")
    own, others = figure.axes
    assert own.lines[0].get_xydata().tolist() == [[0.0312, 0.5]]
    # Through five points, boxes and chips as through its own, which is all that there is of them.
    assert others.lines[0].get_ydata()[0] == pytest.approx((0.5 * 4 + 0.1) / 5)


def test_sets_are_laid_out_once_as_folders_of_people(tmp_path):
    photos = bundled_people(tmp_path, 3)
    assert len([*photos.probes.rglob("*.jpg")]) == 3 and len([*photos.targets.rglob("*.jpg")]) == 10
    others = {file.name for file in photos.others.rglob("*.jpg")}
    assert len(others) == 6 and others < {file.name for file in photos.gallery.rglob("*.jpg")}
    first = next(photos.probes.rglob("*.jpg"))
    Image.open(first).verify()
    written = first.stat().st_mtime_ns
    assert bundled_people(tmp_path, 3) == photos and first.stat().st_mtime_ns == written


@pytest.mark.thorough
def test_from_photos_to_tables(tmp_path, monkeypatch, capsys):
    """One method and another tool's folder, with one network; a second run makes nothing anew."""
    name = "the authors' code, nearest target, ε = 8"
    short = {name: METHODS[name].with_iterations(2)}
    monkeypatch.setattr(scoreboard, "METHODS", METHODS | short)
    for constant, value in (("NETWORKS", ("sface",)), ("JUDGES", ("sface",)), ("POSTED", ()),
                            ("THREATENED", (name,))):  # fmt: skip
        monkeypatch.setattr(scoreboard, constant, value)
    docs = tmp_path / "protection.md"
    docs.write_text("before\n<!-- scoreboard: methods -->\nold\n<!-- end -->\nafter\n")
    out = tmp_path / "out"
    arguments = ["", "--people", "3", "--method", name, "--docs", str(docs), "--output", str(out)]
    monkeypatch.setattr(sys, "argv", arguments)
    scoreboard.main()
    found = json.loads((out / "scoreboard.json").read_text())
    assert [(one["photos"], one["probes"]) for one in found["seen"]] == [("people", 3)]
    rows = found["rows"]
    assert {one["kind"] for one in rows} >= {"window", "threat"}
    assert {one["method"] for one in rows} == {UNPROTECTED, name}
    said = docs.read_text()
    assert said.startswith("before\n") and said.endswith("after\n") and "old" not in said
    assert f"| people: {name} |" in said
    assert b"<svg" in (out / "curve_people.svg").read_bytes()
    times = {file: file.stat().st_mtime_ns for file in out.rglob("*.jpg")}
    judged = (out / "people" / "judged" / name / "search" / "results.json").stat().st_mtime_ns
    other = tmp_path / "other" / "people"
    other.mkdir(parents=True)
    (other / "probes").symlink_to(out / "people" / "masks" / name / "probes")
    monkeypatch.setattr(sys, "argv", [*arguments, "--folder", f"other={tmp_path / 'other'}"])
    scoreboard.main()
    assert {file: file.stat().st_mtime_ns for file in times} == times
    again = out / "people" / "judged" / name / "search" / "results.json"
    assert again.stat().st_mtime_ns == judged
    assert "| people: other |" in docs.read_text()
    assert str(out / "index.html") in capsys.readouterr().out
