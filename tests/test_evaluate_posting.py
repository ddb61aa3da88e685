"""Faces in posted photos, and what is said of them."""

import dataclasses
import json

import numpy as np
from PIL import Image

from tipim_jax.datasets import bundled as people
from tipim_jax.evaluate.finding import CentralFace
from tipim_jax.evaluate.outcome import summary, write_posting
from tipim_jax.evaluate.posted import OTHER_DETECTOR, Condition, conditions
from tipim_jax.identification import FIGURES, Estimate, Recognition
from tipim_jax.photos import central_face, read_photo
from tipim_jax.photos.filters import FILTERS
from tipim_jax.photos.posting import POSTINGS, Posting
from tipim_jax.report import Measurement

CHANGES_PLAIN = ("noise 4", "32 levels", "automatic contrast")  # a plain picture too
PERSON = read_photo(people.photos("Person_001")[0]).pixels


def test_photos_are_posted_in_every_way_and_aligned_by_another_detector(detector):
    names = [str(way) for way in (*POSTINGS, *FILTERS)]
    assert [way.name for way in conditions(CentralFace(detector))] == [*names, OTHER_DETECTOR]
    assert [way.name for way in conditions(CentralFace(None))] == names  # of crops, which need none


def test_a_face_that_is_lost_is_taken_to_be_where_it_was(detector):
    """In a scaled photo that is another place, and the same crop but for the resolution."""

    class Blind:
        def detect(self, pixels):
            return []

    place = central_face(detector.detect(PERSON), PERSON)
    before = CentralFace(detector).show(PERSON, place).crop.astype(float)
    for scale in (1.0, 0.5):
        shown = Condition("", Posting(scale=scale), CentralFace(Blind())).post(
            PERSON, PERSON, place
        )
        assert shown.lost_clean and shown.lost
        np.testing.assert_array_equal(shown.clean.crop, shown.protected.crop)
        away = np.abs(shown.clean.crop - before)
        assert away.mean() < (0.5 if scale == 1 else 5)
    half = Condition("", Posting(scale=0.5), CentralFace(detector)).post(PERSON, PERSON, place)
    assert not half.lost
    assert np.abs(half.clean.crop - before).mean() < 12


def test_posted_crops_are_crops_again():
    pixels = np.random.default_rng(0).integers(0, 256, (112, 112, 3), np.uint8)
    smooth = np.full((112, 112, 3), 200, np.uint8)
    for way in conditions(CentralFace(None)):
        shown = way.post(pixels, smooth, CentralFace(None).find(pixels))
        assert shown.clean.crop.shape == shown.protected.crop.shape == (112, 112, 3)
        away = np.abs(shown.protected.crop.astype(int) - 200)
        assert away.max() <= (24 if way.name in CHANGES_PLAIN else 1), way.name  # its edges too
        assert not (shown.lost or shown.lost_clean)


def row(shares, **about):
    """Shares by recogniser, the first of which is a white box."""
    recognisers = {
        name: Recognition(number > 0, dict.fromkeys(FIGURES, Estimate(share, share, share)), {}, ())
        for number, (name, share) in enumerate(shares.items())
    }
    return Measurement(about, 4, {}, recognisers)


def pair(posting, **shares):
    clean = {"method": "clean", "posting": posting, "no_face_found": []}
    protected = {**clean, "method": "m", "surrogates": ["a"], "no_face_found": ["x.png"]}
    return row(dict.fromkeys(shares, 0.25), **clean), row(shares, **protected)


ROWS = [pair("as saved", a=1.0, b=0.75, c=0.5), pair("JPEG 50", a=0.5, b=0.25, c=0.75)]


def test_the_summary_is_the_mean_over_held_out_recognisers_and_what_is_lost():
    title, header, lines = summary(ROWS)
    assert title.endswith("mean over b, c")
    assert header == [
        *("posted", "Rank-1-UT", "points", "Rank-5-UT", "points", "Rank-1-T", "points", "no face")
    ]
    assert lines[0] == ["as saved", *("0.25 → 0.62", "+0.0") * 3, "1"]
    assert lines[1] == ["JPEG 50", *("0.25 → 0.50", "−12.5") * 3, "1"]


def test_without_held_out_recognisers_it_is_the_mean_over_all():
    assert summary([pair("as saved", a=1.0)])[0].endswith("mean over [a]")


def test_tables_figures_and_picture_are_written(tmp_path):
    write_posting(ROWS, tmp_path)
    found = json.loads((tmp_path / "posting.json").read_text())
    assert [one["about"]["posting"] for one in found] == ["as saved"] * 2 + ["JPEG 50"] * 2
    assert found[3]["recognisers"]["c"]["figures"]["rank1_ut"]["value"] == 0.75
    assert "0.25 → [1.00]  0.25 → 0.75" in (tmp_path / "posting.txt").read_text()
    assert r"$\to$" in (tmp_path / "posting.tex").read_text()
    assert (tmp_path / "posting.csv").read_text().startswith("posting,surrogates,")
    assert b"<svg" in (tmp_path / "posting.svg").read_bytes()
    three = width(tmp_path / "posting.png")
    rows = [tuple(map(without_targets, pair)) for pair in ROWS]
    write_posting(rows, tmp_path)
    assert "Rank-1-T" not in (tmp_path / "posting.txt").read_text()
    assert width(tmp_path / "posting.png") < 0.8 * three


def width(path):
    with Image.open(path) as image:
        return image.width


def without_targets(row):
    nobody = {"rank1_t": None, "rank5_t": None}
    recognisers = {
        name: dataclasses.replace(seen, figures=seen.figures | nobody)
        for name, seen in row.recognisers.items()
    }
    return dataclasses.replace(row, recognisers=recognisers)
