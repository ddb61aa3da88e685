"""The page made from the results."""

import dataclasses
import re

import numpy as np
import pytest

from tests.page import read
from tests.report_cases import THRESHOLDS, face, photo, pictures, results, standing
from tipim_jax import report
from tipim_jax.identification import Estimate
from tipim_jax.report.wording import chance, decimal, duration, headline, interval, percentage

HOSTILE = "<script>alert('x')</script>\"&amp;\u202egpj.\x1b[31m\udcff</style>--><img src=x>"


def made(photos, not_protected=(), left_alone=()):
    target = {"Person_007": report.picture(np.full((60, 60, 3), 77, np.uint8))}
    found = results(photos, not_protected, left_alone)
    return read(report.report(found, pictures(photos), target))


def test_the_page_needs_nothing_but_itself():
    page = made([photo(0), photo(1)], [report.NotProtected("x.jpg", "no face found")])
    assert page.html.startswith("<!doctype html>")
    without_pictures = re.sub(r"data:image/[a-z]+;base64,[A-Za-z0-9+/=]+", "", page.html)
    assert not re.search(r"https?:|//|@import|url\(", without_pictures)
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "link", "iframe", "object"})
    assert all(a["src"].startswith("data:image/") for a in page.all("img"))
    assert all(a["href"].startswith("#") for a in page.all("a"))
    (policy,) = page.all("meta", **{"http-equiv": "Content-Security-Policy"})
    assert policy["content"].startswith("default-src 'none'")


def test_the_page_says_that_it_is_not_to_be_posted_and_claims_no_more_than_is_so():
    page = made([photo(0)], [report.NotProtected("x.jpg", "1 of its 2 faces: not sure")])
    assert "shows the faces as they were, too: do not post it" in page.text
    assert "not protected, or some faces are not." in page.text
    assert "nothing was written" not in page.text, "of such a photo something was"
    assert "do not post" not in made([]).text


def test_the_page_shows_who_was_left_alone_and_why():
    left = [report.LeftAlone("ann<b>.jpg", "1 of its 2 faces: not the face in me.jpg")]
    page = made([dataclasses.replace(photo(0), input="ann<b>.jpg")], left_alone=left)
    assert "Left alone as you chose: faces in one photo." in " ".join(page.text.split())
    assert page.all("h2", id="left-alone")
    assert "ann<b>.jpg" in page.text and left[0].reason in page.text
    assert "not protected" not in page.text, "it is as it was wished"
    assert not made([photo(0)]).all("h2", id="left-alone")


def test_the_page_says_which_photos_have_no_copies_as_nobody_was_chosen():
    left = [report.LeftAlone(name, "not the face in me.jpg") for name in ("b.jpg", "c.jpg")]
    left += [report.LeftAlone(photo(0).input, "1 of its 2 faces: not the face in me.jpg")]
    said = " ".join(made([photo(0)], left_alone=left).text.split())
    assert "faces in 3 photos, of which 2 photos with nobody to mask, so not copied" in said
    assert "nobody to mask" not in made([photo(0)], left_alone=left[2:]).text


def test_the_page_can_be_read_without_seeing_it_and_in_the_dark():
    page = made([photo(0)])
    assert page.all("html", lang="en")
    assert all(a["alt"] for a in page.all("img"))
    assert all(a.get("scope") for a in page.all("th"))
    charts = page.all("svg", role="img")
    assert len(charts) == 3
    assert "threshold 0.363" in charts[1]["aria-label"]
    assert "prefers-color-scheme: dark" in page.style
    assert "@media print" in page.style


def test_no_name_can_become_markup():
    clean = made([photo(0)], [report.NotProtected("x", "y")])

    def hostile(value):
        if isinstance(value, str):
            return HOSTILE
        if isinstance(value, dict):
            # Names that are looked up again stay; those that are only shown do not.
            known = value.keys() & {*THRESHOLDS, "total"}
            return {k if k in known else HOSTILE: hostile(v) for k, v in value.items()}
        if isinstance(value, tuple):
            return tuple(hostile(v) for v in value)
        if dataclasses.is_dataclass(value):
            names = [f.name for f in dataclasses.fields(value)]
            return dataclasses.replace(value, **{n: hostile(getattr(value, n)) for n in names})
        return value

    attacked = hostile(results([photo(0)], [report.NotProtected("x", "y")]))
    recognisers = [
        dataclasses.replace(r, name=name)
        for r, name in zip(attacked.recognisers, THRESHOLDS, strict=True)
    ]
    attacked = dataclasses.replace(attacked, recognisers=tuple(recognisers))
    target = report.picture(np.full((60, 60, 3), 77, np.uint8))
    html = report.report(
        attacked, {HOSTILE: pictures([photo(0)])["trip/photo_000.png"]}, {HOSTILE: target}
    )
    page = read(html)
    assert {tag for tag, _ in page.tags} == {tag for tag, _ in clean.tags}
    assert not [a for _, a in page.tags if any(name.startswith("on") for name in a)]
    assert "<script>alert('x')</script>" in page.text  # shown as what it is
    assert "\u202e" not in html
    assert "\x1b" not in html
    html.encode("utf-8")  # even though a file name was no UTF-8


def test_the_headline_says_before_and_after_for_each_recogniser():
    mixed = [
        dataclasses.replace(photo(0), faces=(face(0.95, 0.92), face(0.95, 0.4), face(0.5, 0.1)))
    ]
    assert headline(results(mixed)) == (
        "Of 3 faces, mobileface now recognises 2 (3 before), sface 2 (3 before) and dlib, "
        "which the protection never saw, 1 (2 before)."
    )
    assert headline(results([photo(0)])) == (
        "There is one face: mobileface no longer recognises it, sface no longer recognises it "
        "and dlib, which the protection never saw, no longer recognises it."
    )


def test_the_headline_admits_what_was_not_measured():
    stranger = report.Scores(
        report.Standing(None, None, 0.2, 3), report.Standing(None, None, 0.3, 1)
    )
    unknown = dataclasses.replace(face(), recognisers=dict.fromkeys(THRESHOLDS, stranger))
    said = headline(results([report.Photo("a.jpg", "a.png", (unknown, unknown))]))
    assert said.startswith("2 faces in one photo protected; whether")
    assert "was not measured" in said
    page = made([report.Photo("a.jpg", "a.png", (unknown,))])
    assert page.text.count("Not measured: the gallery holds no photo") == 3


def test_one_face_shows_its_pictures_numbers_and_thresholds():
    page = made([photo(0)])
    assert len(page.all("img")) == 4  # original, protected, mask, target
    for text in (
        "PSNR 31.2 dB",
        "DSSIM 0.031",
        "0.950",
        "0.100",
        "5 min 12 s",
        "imitates Person_007",
    ):
        assert text in page.text
    for threshold in ("0.301", "0.363", "0.912"):
        assert threshold in page.text
    assert page.text.count("held out") >= 2
    assert "What the mask does not protect from" in page.text


def test_the_table_holds_the_rates():
    page = made(
        [dataclasses.replace(photo(0), faces=(face(), face(after=0.95, rank=1), face(rank=3)))]
    )
    cells = next(row for row in page.rows if row[0] == "mobileface")
    none, one, two, all_three = "0% 0 – 56", "33% 6 – 79", "67% 21 – 94", "100% 44 – 100"
    assert [c.replace("\u202f", "").strip() for c in cells[1:]] == [
        all_three, one, "1.2%",  # recognised, by chance
        none, two, none, one,  # Rank-1-UT, Rank-5-UT
        none, none, all_three, all_three,  # Rank-1-T, Rank-5-T
    ]  # fmt: skip


def test_a_face_at_the_threshold_is_recognised_everywhere():
    page = made([dataclasses.replace(photo(0), faces=(face(after=THRESHOLDS["sface"]),))])
    assert "sface still recognises it" in page.text
    row = next(row for row in page.rows if row[0] == "sface")
    assert row[1].startswith("100") and row[2].startswith("100")
    assert len(page.all("td", title="still recognised")) == 2  # and above mobileface's
    assert len(page.all("path", **{"class": "known"})) == 2 + 1  # and the legend's


def test_the_chart_draws_each_face_on_its_side_of_the_threshold():
    faces = (face(after=0.95), face(after=0.1), face(after=0.2))
    page = made([dataclasses.replace(photo(0), faces=faces)])
    chart = read(page.html.split('role="img"')[1].partition(">")[2].split("</svg>")[0])
    (line,) = (float(a["y1"]) for a in chart.all("line", **{"class": "threshold"}))
    below = [float(a["cy"]) for a in chart.all("circle", **{"class": "unknown"})]
    (above,) = (a["d"] for a in chart.all("path", **{"class": "known"}))
    assert len(below) == 2
    assert float(re.match(r"M[\d.]+ ([\d.]+)", above)[1]) < line < min(below)  # SVG: downwards


def test_a_face_that_is_not_found_again_is_said_to_be_lost():
    lost = report.Scores(standing(0.95), None)
    gone = dataclasses.replace(face(), recognisers=dict.fromkeys(THRESHOLDS, lost))
    page = made([dataclasses.replace(photo(0), faces=(gone, face()))])
    assert page.text.count("no face found any more") == 3
    assert page.text.count("Not drawn: one face not found in the saved photo.") == 3


def test_where_no_face_is_found_again_the_chart_says_so():
    lost = report.Scores(standing(0.95), None)
    gone = dataclasses.replace(face(), psnr=None, recognisers=dict.fromkeys(THRESHOLDS, lost))
    page = made([dataclasses.replace(photo(0), faces=(gone,))])
    assert page.text.count("No face was found in the saved photos any more.") == 3
    assert not page.all("svg", role="img")
    assert "None" not in page.text


def test_a_run_without_photos_makes_a_page():
    entries = [report.NotProtected("beach/a.jpg", "no face found"),
               report.NotProtected("b.png", "unreadable: truncated")]  # fmt: skip
    page = made([], entries)
    assert "No photo was protected." in page.text
    for entry in entries:
        assert entry.input in page.text
        assert entry.reason in page.text
    assert not page.all("img")
    assert page.all("a", href="#not-protected")


def test_a_group_photo_has_a_row_for_each_face():
    page = made([photo(0, faces=6)])
    assert len(page.all("article")) == 6
    assert len(page.all("img")) == 6 * 4
    assert "face 1 of 6" in page.text
    assert "face 6 of 6" in page.text


def test_of_150_photos_the_first_100_are_shown_and_the_page_says_so():
    photos = [photo(i) for i in range(150)]
    page = made(photos)
    assert "Of 150 faces" in page.text
    assert "the first 100 of 150 photos" in page.text
    assert "trip/photo_099.jpg" in page.text
    assert "trip/photo_100.jpg" not in page.text


def test_thousands_of_faces_leave_the_charts_light():
    page = made([photo(0, faces=1)] * 1000)
    assert len(page.all("circle", **{"class": "before"})) == 3 * 300 + 1  # and the legend's
    assert "Drawn: 300 of the 1,000 faces." in page.text


def test_a_photo_may_come_without_pictures_but_not_with_too_few():
    photos = [photo(0, faces=2)]
    page = read(report.report(results(photos), {}, {}))
    assert page.text.count("No pictures of this face were kept.") == 2
    assert not page.all("img")
    few = {photos[0].output: pictures([photo(0)])["trip/photo_000.png"]}
    with pytest.raises(ValueError, match="1 pictures for 2 faces"):
        report.report(results(photos), few, {})


def test_numbers_have_sensible_precision():
    assert decimal(-0.0631, 3) == "\u22120.063"
    assert decimal(-0.0001, 3) == "0.000"
    assert decimal(None, 3) == "\u2013"
    assert percentage(Estimate(59 / 60, 0.9, 1.0), 60) == "98\u202f%"
    assert percentage(Estimate(499 / 500, 0.98, 1.0), 500) == "99.8\u202f%"
    assert percentage(None, 500) == chance(None) == "\u2013"
    assert interval(Estimate(1.0, 0.9398, 1.0)) == "94 – 100"
    assert [chance(rate) for rate in (0.0, 0.00094, 0.0523)] == [
        f"{text}\u202f%" for text in ("0", "0.094", "5.2")
    ]
    assert duration(0.0803) == "80.3 ms"
    assert duration(59.96) == "60 s"
    assert duration(312.4) == "5 min 12 s"
    assert duration(7384) == "2 h 3 min"
