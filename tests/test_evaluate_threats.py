"""What is written of the threats, and what is asked for beforehand."""

import csv
import importlib.util
import json

import numpy as np
import pytest

from tipim_jax import networks
from tipim_jax.configuration import SettingsError
from tipim_jax.evaluate.pairs import Posted
from tipim_jax.evaluate.settings import parse
from tipim_jax.evaluate.threat_words import THREATS
from tipim_jax.evaluate.threats import write_threats
from tipim_jax.identification import FARS, Judge, Roster

GALLERY = "GGHHIIJJ"


def written(folder, people):
    """Of two recognisers: to the first nothing is changed, to the other all are one person."""
    centres = np.random.default_rng(1).normal(size=(128, 32)).astype(np.float32)
    noise = np.random.default_rng(2).normal(size=(64, 32)).astype(np.float32)
    clean = centres[[ord(person) for person in people]] + 0.1 * noise[: len(people)]
    gallery = centres[[ord(person) for person in GALLERY]] + 0.1 * noise[-len(GALLERY) :]
    roster = Roster.of(GALLERY, (), people)
    faces = np.concatenate([gallery, clean])
    judge = Judge.of(networks.get("sface"), roster, faces, fars=FARS)
    hidden = centres[[ord("Z")] * len(people)] + 0.1 * noise[: len(people)]
    protected = {"first": clean, "second": hidden}
    posted = Posted("as saved", dict.fromkeys(protected, clean), protected, (), ())
    text = write_threats(dict.fromkeys(protected, judge), posted, ["second"], folder)
    return text, json.loads((folder / "threats.json").read_text())


def test_every_threat_is_written_of_each_recogniser(tmp_path):
    text, rows = written(tmp_path, "AAABBBCCC")
    assert [(row["threat"], row["recogniser"]) for row in rows] == [
        (threat, name) for threat in THREATS for name in ("first", "second")
    ]
    for row in rows:
        assert (row["photos"], row["people"]) == (9, 3)
        assert row["held_out"] == (row["recogniser"] == "first")
        for name, figure in row["before"].items():
            assert figure["value"] == 1
            # Who is hidden behind one face is found by others who are, and is never named.
            if row["recogniser"] == "first":
                assert row["after"][name] == figure
            elif row["threat"] in ("search", "verification", "enrolment", "classifier"):
                assert row["after"][name]["value"] < 0.5
    lines = list(csv.DictReader((tmp_path / "threats.csv").read_text().splitlines()))
    assert len(lines) == sum(len(row["after"]) for row in rows)
    for row in rows:
        for name, figure in row["after"].items():
            (line,) = (
                line
                for line in lines
                if [line[key] for key in ("threat", "recogniser", "figure")]
                == [row["threat"], row["recogniser"], name]
            )
            assert float(line["after"]) == figure["value"]
            assert float(line["after_low"]) == figure["low"]
    assert (tmp_path / "threats.txt").read_text() == text
    for threat, words in THREATS.items():
        assert f"{threat}: {words}" in text
    assert "[second]" in text and "(7 people, trained on 2 clean photos of each)" in text


def test_single_photos_leave_rows_without_figures_or_none_at_all(tmp_path):
    text, rows = written(tmp_path, "AB")
    assert {row["threat"] for row in rows} == {"search", "verification", "enrolment", "both"}
    for row in rows:
        assert row["photos"] == 0 and not any(row["after"].values())
    assert "adaptive: too few photos of too few people" in text


def test_without_scikit_learn_nothing_is_begun(monkeypatch):
    arguments = ["protected", "--clean", "clean", "--gallery", "gallery", "--threats"]
    assert parse(arguments).threats
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"pip install 'tipim-jax\[threats\]'"):
        parse(arguments)
    assert not parse(arguments[:-1]).threats
