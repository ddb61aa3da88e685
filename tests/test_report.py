"""The results as JSON and the page made from them."""

import base64
import dataclasses
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from tests.page import read
from tipim_jax import report
from tipim_jax.attack.__main__ import summarise
from tipim_jax.console import Console
from tipim_jax.identification import Estimate, Judge, Standings, Threshold, share
from tipim_jax.report.wording import chance, decimal, duration, headline, interval, percentage

THRESHOLDS = {"mobileface": 0.301, "sface": 0.363, "dlib": 0.912}
HOSTILE = "<script>alert('x')</script>\"&amp;\u202egpj.\x1b[31m\udcff</style>--><img src=x>"


def standing(cosine, rank=1, target_rank=2):
    return report.Standing(cosine, rank, 0.25, target_rank)


def face(before=0.95, after=0.1, name="Ann", **ranks):
    scores = report.Scores(standing(before), standing(after, **({"rank": 9} | ranks)))
    return report.Face(
        (40, 30, 50, 60), name, "Person_007", 31.24, 0.9312, dict.fromkeys(THRESHOLDS, scores)
    )


def rates(scores, threshold):
    """Before and after, as the judge takes them from where probes stand."""
    before = standings([s.clean for s in scores])
    there = np.array([s.protected is not None for s in scores], bool)
    found = standings([s.protected for s in scores if s.protected])
    judge = Judge(None, np.zeros((9, 4)), (), {"recognised": Threshold(threshold, 0.0123)})
    return [
        report.Rates.of(judge.recognition(found, held_out=True))
        for found in (before, before.lost_but(there, found))
    ]


def standings(each):
    rows = [dataclasses.astuple(one) for one in each]
    return Standings(*np.array(rows, float).reshape(-1, 4).T)


def results(photos, not_protected=()):
    faces = [f for photo in photos for f in photo.faces]
    recognisers = [
        report.RecogniserResult(
            name,
            "MobileFaceNet",
            name == "dlib",
            threshold,
            0.0123,
            *rates([f.recognisers[name] for f in faces], threshold),
        )
        for name, threshold in THRESHOLDS.items()
    ]
    return report.Results(
        created="2026-03-01T12:00:00+00:00",
        command="python -m tipim_jax.attack --output out",
        device="cpu x 1",
        versions={"jax": "0.10.1"},
        settings={"epsilon": 12.0, "views": False, "config": None, "norms": ("linf", "l2")},
        surrogates=("mobileface", "sface"),
        targets=report.Targets("bundled people", ("Person_007", "Person_008")),
        gallery=report.Gallery("bundled people", 140, 70),
        recognisers=tuple(recognisers),
        quality=report.Quality(31.24, 0.9312, 12.0, 12),
        seconds={"total": 312.4, "per_image_iteration": 0.0803},
        photos=tuple(photos),
        not_protected=tuple(not_protected),
    )  # fmt: skip


def photo(index, faces=1):
    name = f"trip/photo_{index:03d}"
    return report.Photo(f"{name}.jpg", f"{name}.png", (face(),) * faces)


def pictures(photos, seed=0):
    random = np.random.default_rng(seed)
    original = np.full((120, 160, 3), (180, 120, 90), np.uint8)
    mask = np.zeros(original.shape, np.int16)
    mask[30:90, 40:90] = random.integers(-12, 13, (60, 50, 3))
    shown = report.face_pictures(original, (original + mask).astype(np.uint8), (40, 30, 50, 60))
    return {p.output: (shown,) * len(p.faces) for p in photos}


def made(photos, not_protected=()):
    target = {"Person_007": report.picture(np.full((60, 60, 3), 77, np.uint8))}
    return read(report.report(results(photos, not_protected), pictures(photos), target))


def opened(address):
    kind, data = address.removeprefix("data:").split(";base64,")
    image = Image.open(io.BytesIO(base64.b64decode(data)))
    assert image.get_format_mimetype() == kind
    return np.asarray(image)


# The results


def test_results_survive_json_unchanged():
    original = results([photo(0, faces=2), photo(1)], [report.NotProtected("a.jpg", "no face")])
    assert report.Results.from_json(original.to_json()) == original
    assert json.loads(original.to_json())["schema"] == 2


def test_results_survive_json_where_nothing_was_measured():
    unknown = report.Scores(report.Standing(None, None, None, None), None)
    empty = report.Face((0, 0, 9, 9), None, None, None, None, {"dlib": unknown})
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
        (("schema",), 1, r"results\.schema: found 1, expected 2"),
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
        report.Results.from_json('{"schema": 2')


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


# The page


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
        "SSIM 0.931",
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


# The pictures


def test_the_mask_picture_is_mid_grey_plus_ten_times_the_difference():
    original = np.full((100, 100, 3), 100, np.uint8)
    protected = original.copy()
    protected[40:60, 40:60] = (112, 88, 101)
    protected[45, 45] = (200, 0, 100)
    shown = opened(report.face_pictures(original, protected, (40, 40, 20, 20)).mask.address)
    assert shown.shape == (36, 36, 3)  # 1.8 faces wide: from 32 to 68
    assert shown[0, 0].tolist() == [128, 128, 128]
    assert shown[9, 9].tolist() == [248, 8, 138]
    assert shown[13, 13].tolist() == [255, 0, 128]


def test_pictures_show_the_surroundings_of_the_face_within_the_photo():
    original = np.zeros((300, 400, 3), np.uint8)
    original[200:300, 300:400] = (250, 10, 20)
    shown = report.face_pictures(original, original, (300, 200, 100, 100))
    assert (shown.original.width, shown.original.height) == (180, 180)
    image = opened(shown.original.address)
    assert image[175, 175, 0] > 240  # the corner of the photo is the corner of the picture
    assert image[20, 20, 0] < 10


def test_large_faces_are_scaled_down_and_small_ones_are_not_scaled_up():
    large = report.picture(np.zeros((3000, 1500, 3), np.uint8))
    assert large.height <= 256
    assert large.width == round(large.height / 2)
    assert opened(large.address).shape == (large.height, large.width, 3)
    assert report.picture(np.zeros((20, 30, 3), np.uint8)).width == 30


def test_sixty_photos_of_noise_stay_below_six_megabytes():
    random = np.random.default_rng(2)
    original = random.integers(60, 190, (250, 250, 3)).astype(np.uint8)
    original = np.asarray(Image.fromarray(original).resize((40, 40)).resize((250, 250)))
    mask = np.zeros(original.shape, np.int16)
    mask[50:200, 60:190] = random.integers(-12, 13, (150, 130, 3))
    protected = np.clip(original + mask, 0, 255).astype(np.uint8)
    shown = report.face_pictures(original, protected, (75, 70, 100, 125))
    photos = [photo(i) for i in range(60)]
    html = report.report(results(photos), {p.output: (shown,) for p in photos}, {})
    assert len(html) < 6_000_000


def test_pictures_of_another_kind_are_refused():
    with pytest.raises(ValueError, match=r"float32\[9, 9, 3\], expected uint8"):
        report.picture(np.zeros((9, 9, 3), np.float32))
    with pytest.raises(ValueError, match="must be one size"):
        report.face_pictures(
            np.zeros((9, 9, 3), np.uint8), np.zeros((9, 8, 3), np.uint8), (0, 0, 5, 5)
        )


# The summary that the command prints


def test_the_summary_says_what_is_held_out_only_where_something_is(capsys):
    some = results([photo(0)])
    none = [dataclasses.replace(r, held_out=False) for r in some.recognisers]
    summarise(some, Console())
    said = capsys.readouterr().out
    assert "dlib*" in said and "* held out" in said
    summarise(dataclasses.replace(some, recognisers=tuple(none)), Console())
    said = capsys.readouterr().out
    assert "dlib" in said and "held out" not in said and "*" not in said


def test_the_summary_fits_into_80_columns_and_nothing_is_cut(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    some = results([photo(0)])
    names = ("mobileface-mv", "facenet-128", "lightcnn")
    longest = [dataclasses.replace(r, name=n, held_out=True, false_match_rate=0.000123)
               for r, n in zip(some.recognisers, names, strict=True)]  # fmt: skip
    summarise(dataclasses.replace(some, recognisers=tuple(longest)), Console())
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 80
    assert next(line.split() for line in said.splitlines() if "*" in line) == [
        "mobileface-mv*", "1.00→0.00", "0.00012", *["0.00→1.00"] * 2, "0.00→0.00", "1.00→1.00"
    ]  # fmt: skip


def test_the_summary_names_what_was_left_out_as_it_is_called(capsys):
    name = "trip[old]/[red]a[/red] :smile:.jpg"
    summarise(results([], [report.NotProtected(name, "no face [0] found")]), Console())
    assert capsys.readouterr().out == f"not protected (1):\n  {name}: no face [0] found\n"


# Numbers in words


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
