"""The page's application: photos in, protected photos out, and what is kept of them meanwhile."""

import io
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import zipfile

import numpy as np
import pytest
from app_cases import TOKEN, Browser, FakeEngine, a_studio, picture
from PIL import Image

from tipim_jax.app.__main__ import forget_killed_runs
from tipim_jax.app.names import safe_name


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "photos"


@pytest.fixture(autouse=True)
def _made(folder):
    folder.mkdir()


@pytest.fixture
def browser(folder):
    with a_studio(folder) as studio:
        browser = Browser(studio)
        browser.open()
        yield browser


def protect(browser, photos, strength="balanced"):
    asked = {"strength": strength, "photos": photos}
    return browser.of_page("POST", "/protect", asked)


def test_photos_are_protected_and_come_back_as_a_zip_with_names_and_types(browser):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned
    sent = {
        "holiday/beach.jpg": picture(exif=exif),
        "holiday/beach.jpeg": picture(seed=1),
        "me.png": picture("PNG", seed=2),
        "old.webp": picture("WEBP", seed=3),
    }
    for name, content in sent.items():
        assert browser.send(name, content).status == 201
    photos = browser.rested()
    assert [len(photos[name]["faces"]) for name in sent] == [1] * 4
    assert (photos["holiday/beach.jpg"]["width"], photos["holiday/beach.jpg"]["height"]) == (60, 80)
    assert protect(browser, {p["id"]: [] for p in photos.values()}).json() == {"photos": 4}
    assert {p["state"] for p in browser.rested().values()} == {"done"}
    answer = browser.of_page("GET", "/zip")
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert sorted(archive.namelist()) == [
        *("holiday/beach.jpeg", "holiday/beach.jpg", "me.png", "old.png"),
    ]
    kinds = [Image.open(archive.open(name)).format for name in sorted(archive.namelist())]
    assert kinds == ["JPEG", "JPEG", "PNG", "PNG"]
    before = np.asarray(Image.open(io.BytesIO(sent["me.png"])), int)
    after = np.asarray(Image.open(archive.open("me.png")), int)
    assert np.abs(after - before).max() == 8 and (after != before).any()
    # The archive itself is not kept.
    assert not list(browser.studio._folder.rglob("*.zip"))


def test_one_photo_is_saved_under_its_own_name(browser):
    browser.send("Łódź “1”.png", picture("PNG"))
    (photo,) = browser.rested().values()
    save = f"/photos/{photo['id']}/save"
    assert browser.of_page("GET", save).status == 404  # not protected yet
    protect(browser, {photo["id"]: []})
    browser.rested()
    answer = browser.of_page("GET", save)
    assert (
        "filename*=UTF-8''%C5%81%C3%B3d%C5%BA%20%E2%80%9C1%E2%80%9D.png"
        in (answer.headers["content-disposition"])
    )
    assert answer.headers["content-type"] == "image/png"


def test_before_after_and_mask_are_of_the_photos_size(browser):
    browser.send("me.jpg", picture(quality=95))
    (photo,) = browser.rested().values()
    protect(browser, {photo["id"]: []})
    (photo,) = browser.rested().values()
    seen = {
        what: np.asarray(
            Image.open(io.BytesIO(browser.of_page("GET", f"/photos/{photo['id']}/{what}").content)),
            float,
        )
        for what in ("before", "after", "mask")
    }
    assert {image.shape for image in seen.values()} == {(60, 80, 3)}
    inside = (slice(20, 40), slice(30, 50))
    assert abs(seen["mask"][:10].mean() - 127.5) < 1  # nothing was changed there
    assert seen["mask"][inside].std() > 50
    assert [one["recogniser"] for one in photo["opinions"][0]] == ["mobileface", "lightcnn"]


def test_a_face_is_left_alone(browser):
    browser.send("me.jpg", picture())
    (photo,) = browser.rested().values()
    assert protect(browser, {photo["id"]: [0]}).json() == {"photos": 0}
    assert browser.rested()["me.jpg"]["state"] == "ready"
    assert browser.studio.engine.protected == []


def test_one_face_is_tried_before_what_waits(folder):
    hold = threading.Event()
    with a_studio(folder, FakeEngine(hold=hold)) as studio:
        browser = Browser(studio)
        browser.open()
        for number in range(5):
            browser.send(f"{number}.jpg", picture(seed=number))
        photos = browser.rested()
        protect(browser, {p["id"]: [] for p in photos.values()})
        asked = {"strength": "balanced", "photo": photos["4.jpg"]["id"], "face": 0}
        assert browser.of_page("POST", "/trial", asked).status == 200
        hold.set()
        told = browser.until(lambda told: told["trial"]["state"] == "done")
        for what in ("before", "after", "mask"):
            content = browser.of_page("GET", f"/trial/{what}").content
            assert Image.open(io.BytesIO(content)).format == "JPEG"
        browser.rested()
        # The two that were under way, the trial, the rest.
        assert len(studio.engine.protected) == 6
        assert told["trial"]["opinions"][1]["held_out"]


def test_what_is_no_photo_says_why_and_costs_the_others_nothing(browser):
    plain = io.BytesIO()
    Image.new("RGB", (50, 50), "green").save(plain, "PNG")
    browser.send("notes.txt", b"some notes")
    browser.send("broken.jpg", picture()[:200])
    browser.send("meadow.png", plain.getvalue())
    browser.send("me.jpg", picture())
    photos = browser.rested()
    assert "no picture in a format that can be read" in photos["notes.txt"]["why"]
    assert photos["broken.jpg"]["state"] == "failed" and photos["broken.jpg"]["why"]
    assert (photos["meadow.png"]["state"], photos["meadow.png"]["why"]) == (
        "ready",
        "no face found",
    )
    assert protect(browser, {p["id"]: [] for p in photos.values()}).json() == {"photos": 1}


def test_a_mistake_in_the_engine_costs_one_photo(folder):
    engine = FakeEngine()
    right, engine.find = engine.find, lambda pixels: 1 / 0
    with a_studio(folder, engine) as studio:
        browser = Browser(studio)
        browser.open()
        browser.send("first.jpg", picture())
        browser.rested()
        engine.find = right
        browser.send("second.jpg", picture())
        photos = browser.rested()
    assert "something went wrong here" in photos["first.jpg"]["why"]
    assert photos["second.jpg"]["state"] == "ready"


def test_a_left_page_takes_its_photos_with_it_and_a_reload_keeps_them(folder):
    with a_studio(folder) as studio:
        browser = Browser(studio)
        browser.open()
        browser.send("me.jpg", picture())
        browser.rested()
        assert [*folder.rglob("original")]
        first = browser.page
        browser.of_page("POST", "/leave")
        assert browser.open(previous=first)["page"] == first
        assert len(browser.told()["photos"]) == 1
        browser.of_page("POST", "/leave")
        studio.sweep(time.monotonic() + studio.limits.left_seconds + 1)
        assert not [*folder.rglob("*")]
        assert browser.of_page("GET").status == 404
        assert browser.open(previous=first)["page"] != first


def test_leaving_ends_nothing_that_is_being_made_and_who_comes_back_finds_it(folder):
    hold = threading.Event()
    with a_studio(folder, FakeEngine(hold=hold)) as studio:
        browser, another = Browser(studio), Browser(studio)
        browser.open()
        browser.send("me.jpg", picture())
        (photo,) = browser.rested().values()
        protect(browser, {photo["id"]: []})
        assert another.open()["photos"] == []  # somebody else's tab meanwhile
        browser.of_page("POST", "/leave")
        studio.sweep(time.monotonic() + 100 * studio.limits.kept_seconds)
        hold.set()
        left = browser.page
        assert browser.open()["page"] == left
        assert browser.rested()["me.jpg"]["state"] == "done"


def test_a_photo_that_nobody_works_on_is_deleted_after_an_hour(browser, folder):
    browser.send("me.jpg", picture())
    browser.rested()
    browser.studio.sweep(time.monotonic() + 3590)
    assert browser.told()["photos"]
    browser.studio.sweep(time.monotonic() + 3610)
    assert not [*folder.rglob("original")]


def test_nothing_is_left_when_it_ends(folder):
    with a_studio(folder) as studio:
        browser = Browser(studio)
        browser.open()
        browser.send("me.jpg", picture())
        browser.rested()
    assert not folder.exists()


@pytest.mark.parametrize(
    ("said", "made"),
    [
        ("a.jpg", "a.jpg"),
        ("holiday/a.jpg", "holiday/a.jpg"),
        ("../../etc/passwd", "etc/passwd"),
        ("/etc/passwd", "etc/passwd"),
        ("C:\\Windows\\a.jpg", "C_/Windows/a.jpg"),
        ("..", "photo"),
        ("", "photo"),
        ("a\0b\n.jpg", "a_x00b .jpg"),
        ("con.jpg", "_con.jpg"),
        ("<img src=x onerror=alert(1)>.jpg", "_img src=x onerror=alert(1)_.jpg"),
        ("x" * 300 + ".jpeg", "x" * 115 + ".jpeg"),
        ("\u202egpj.exe", "_u202egpj.exe"),
    ],
)
def test_names_are_made_safe(said, made):
    assert str(safe_name(said)) == made


def test_the_page_runs_and_loads_nothing_from_elsewhere(browser):
    answer = browser.ask("GET", "")
    assert answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert "http" not in answer.text.replace("http-equiv", "")
    assert TOKEN not in answer.text


@pytest.mark.parametrize("how", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_the_command_serves_the_page_until_it_is_ended_and_leaves_nothing(tmp_path, how):
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "tipim_jax.app", "--no-open"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        address = process.stdout.readline().removeprefix("The page: ").strip()
        with urllib.request.urlopen(address) as answer:
            assert b"Drop photos" in answer.read()
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{address[:-3]}/")
        assert [*tmp_path.glob("tipim-app-*")]
        process.send_signal(getattr(signal, how))
        process.communicate(timeout=30)
        assert process.returncode == 0
    finally:
        process.kill()
        process.communicate()
    assert not [*tmp_path.glob("tipim-app-*")]


def test_photos_of_runs_that_were_killed_are_deleted_by_the_next_one(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name, hours in (("tipim-app-old", 3), ("tipim-app-alive", 0), ("another", 3)):
        (tmp_path / name).mkdir()
        then = time.time() - 3600 * hours
        os.utime(tmp_path / name, (then, then))
    forget_killed_runs()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "another",
        "photos",
        "tipim-app-alive",
    ]


def test_photos_of_one_name_are_told_apart_in_the_zip(browser):
    for seed, name in enumerate(("IMG_1.jpg", "img_1.JPG")):
        browser.send(name, picture(seed=seed))
    ids = [photo["id"] for photo in browser.told()["photos"]]
    browser.rested()
    protect(browser, {one: [] for one in ids})
    browser.rested()
    archive = zipfile.ZipFile(io.BytesIO(browser.of_page("GET", "/zip").content))
    assert sorted(archive.namelist()) == ["IMG_1.jpg", "img_1 (2).JPG"]
