"""Measurements as JSON and as tables."""

import csv
import dataclasses
import io
import json

import pytest

from tests.measurement_cases import CLEAN, row
from tipim_jax.identification import WITH_THRESHOLD
from tipim_jax.report import Measurement
from tipim_jax.report.tables import csv_table, latex_tables, text_tables


def test_a_row_is_read_as_it_was_written(tmp_path):
    row(0.5).write(tmp_path / "row.json")
    assert Measurement.read(tmp_path / "row.json") == row(0.5)
    found = json.loads((tmp_path / "row.json").read_text())["recognisers"]["mobileface"]
    assert found["figures"]["recognised"] == {"value": 0.5, "low": 0.4, "high": 0.6}
    assert found["thresholds"]["recognised"] == {"cosine": 0.3, "false_match_rate": 0.0567}


@pytest.mark.parametrize("content", [b"", b"no json", b"{}", b"[1]"])
def test_a_row_that_is_damaged_or_of_another_version_is_refused(content, tmp_path):
    (tmp_path / "row.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"row\.json"):
        Measurement.read(tmp_path / "row.json")


def test_tables_bracket_the_white_box_and_say_once_what_all_rows_share():
    text = text_tables([CLEAN, row(0.0), row(0.5, value=0.25)])
    lines = [line.split() for line in text.splitlines()]
    assert ["gamma", "mobileface", "sface"] in lines
    assert ["unprotected", "0.00/0.00", "–/0.00"] in lines
    assert ["0.5", "[0.25/0.25]", "–/0.25"] in lines
    assert "Rank-1-T / Rank-5-T (surrogates mobileface, method TIP-IM, epsilon 12" in text


def test_tables_say_what_is_unusual_about_the_search():
    unusual = {"distractor_photos": 5, "drawn_distractors": 9}
    rows = [dataclasses.replace(r, about={**r.about, **unusual}) for r in (CLEAN, row(0.0))]
    assert "distractor_photos 5, drawn_distractors 9)" in text_tables(rows)
    for line in csv.DictReader(io.StringIO(csv_table(rows))):
        assert (line["distractor_photos"], line["drawn_distractors"]) == ("5", "9")
    usual = csv.DictReader(io.StringIO(csv_table([row(0.0)])))
    assert {(line["distractor_photos"], line["drawn_distractors"]) for line in usual} == {("", "")}


def test_beside_what_depends_on_a_threshold_stands_its_false_match_rate():
    rows = [CLEAN, row(0.0), row(0.5, value=0.25)]
    text = text_tables(rows)
    lines = [line.split() for line in text.splitlines()]
    assert lines.count(["false", "match", "rate", "0.057", "–"]) == 1
    assert ["false", "match", "rate", "0.057/0.057", "–"] in lines
    assert "what chance gives" in text
    for line in csv.DictReader(io.StringIO(csv_table(rows))):
        expected = ("0.3", "0.0567") if line["recogniser"] == "mobileface" else ("", "")
        for name in WITH_THRESHOLD:
            assert (line[f"{name}_threshold"], line[f"{name}_false_match_rate"]) == expected


def test_csv_has_every_figure_with_its_interval_and_latex_every_line():
    rows = [CLEAN, row(0.0), row(0.5)]
    lines = list(csv.DictReader(io.StringIO(csv_table(rows))))
    assert [(line["method"], line["recogniser"], line["held_out"]) for line in lines[:3]] == [
        ("clean", "mobileface", ""),
        ("clean", "sface", ""),
        ("TIP-IM", "mobileface", "0"),
    ]
    assert (lines[2]["rank5_t"], lines[2]["rank5_t_low"]) == ("0.5", "0.4")
    assert lines[3]["rank1_t"] == ""
    latex = latex_tables(rows)
    assert latex.count(r"\begin{tabular}") == 5
    assert r"TIP\_IM" in latex_tables([CLEAN, row(0.0, "TIP_IM"), row(0.0, "B")])
