"""The results as JSON, and the rates in them."""

import dataclasses
import json

import numpy as np
import pytest

from tests.report_cases import face, photo, rates, results, standing
from tipim_jax import report
from tipim_jax.identification import share


def test_results_survive_json_unchanged():
    original = results(
        [photo(0, faces=2), photo(1)],
        [report.NotProtected("a.jpg", "no face")],
        [report.LeftAlone("b.jpg", "too small")],
    )
    assert report.Results.from_json(original.to_json()) == original
    assert json.loads(original.to_json())["schema"] == 4


def test_results_survive_json_where_nothing_was_measured():
    unknown = report.Scores(report.Standing(None, None, None, None), None)
    empty = report.Face((0, 0, 9, 9), None, None, None, None, None, {"dlib": unknown})
    original = results([photo(0)])
    original = dataclasses.replace(
        original, photos=(report.Photo("\udcff.jpg", "b.png", (empty,)),)
    )
    assert report.Results.from_json(original.to_json()) == original


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.float32(31.2), "31.2", True])
def test_a_value_that_json_or_the_schema_cannot_hold_is_named(value):
    wrong = dataclasses.replace(face(), psnr=value)
    broken = dataclasses.replace(results([]), photos=(report.Photo("a", "b", (face(), wrong)),))
    with pytest.raises(ValueError, match=r"results\.photos\[0\]\.faces\[1\]\.psnr: found"):
        broken.to_json()


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("schema",), 1, r"results\.schema: found 1, expected 4"),
        (
            ("gallery", "images"),
            1.5,
            r"results\.gallery\.images: found 1\.5 \(float\), expected int",
        ),
        (("gallery", "colour"), "red", r"results\.gallery: .*unknown: \['colour'\]"),
        (
            ("photos", 0, "faces", 0, "box"),
            [1, 2, 3],
            r"faces\[0\]\.box: found 3 values, expected 4",
        ),
        (("surrogates",), "sface", r"results\.surrogates: found 'sface' \(str\), expected tuple"),
        (("settings", "views"), {"a": 1}, r"results\.settings\['views'\]: found"),
    ],
)
def test_a_file_that_is_not_such_results_is_refused(path, value, message):
    data = json.loads(results([photo(0)]).to_json())
    inner = data
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    with pytest.raises(ValueError, match=message):
        report.Results.from_json(json.dumps(data))


def test_a_missing_field_and_broken_text_are_refused():
    data = json.loads(results([]).to_json())
    del data["quality"]["ssim"]
    with pytest.raises(ValueError, match=r"results\.quality: fields missing: \['ssim'\]"):
        report.Results.from_json(json.dumps(data))
    with pytest.raises(ValueError, match="no JSON"):
        report.Results.from_json('{"schema": 4')


def test_rates_count_the_faces_that_the_gallery_knows():
    scores = [
        report.Scores(standing(0.9, 1, 7), standing(0.2, 6, 1)),
        report.Scores(standing(0.8, 1, 3), standing(0.5, 1, 6)),
        report.Scores(standing(0.39, 2, None), standing(0.3, 5, None)),  # no target in the gallery
        report.Scores(standing(0.7, 1, 9), None),  # not found again
        report.Scores(standing(None, None, 1), standing(None, None, 1)),  # a stranger
    ]
    clean, protected = rates(scores, 0.4)
    assert values(clean) == [3 / 4, 1 / 4, 0, 1 / 4, 2 / 4]
    assert values(protected) == [1 / 4, 3 / 4, 2 / 4, 2 / 4, 2 / 4]
    assert clean.recognised == share(np.array([True, True, False, True]))
    assert rates([], 0.4)[0] == report.Rates(None, None, None, None, None)


def values(rates):
    return [getattr(rates, field.name).value for field in dataclasses.fields(rates)]


def test_more_neighbours_never_hide_a_person_nor_lose_a_target():
    """Rank-5-UT <= Rank-1-UT and Rank-5-T >= Rank-1-T, whatever the ranks."""
    random = np.random.default_rng(0)
    for _ in range(50):
        scores = [
            report.Scores(standing(0.5, *random.integers(1, 9, 2).tolist()), after)
            for after in (standing(0.5, *random.integers(1, 9, 2).tolist()), None)
        ]
        for found in rates(scores, 0.4):
            assert found.rank5_ut.value <= found.rank1_ut.value
            assert found.rank5_t.value >= found.rank1_t.value


def test_what_json_does_not_know_becomes_none():
    assert report.finite_or_none(np.float32(np.inf)) is None
    assert report.finite_or_none(float("nan")) is None
    assert report.finite_or_none(np.float32(0.5)) == 0.5
