"""The page's application: photos in, protected photos out, and what is kept of them meanwhile."""

import io
import itertools
import threading
import zipfile
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from app_cases import TOKEN, Browser, FakeEngine, a_browser, a_studio, picture, protect
from PIL import Image

from tipim_jax.app import strengths
from tipim_jax.app.engine import Chosen, ProtectorEngine
from tipim_jax.engine import defaults
from tipim_jax.engine import protector as protectors
from tipim_jax.engine.loop import Mask
from tipim_jax.identification import Recogniser
from tipim_jax.method import TipIm
from weights_convert import ConversionError


@pytest.fixture
def browser(folder):
    with a_browser(folder) as browser:
        yield browser


def test_figures_are_promised_for_the_networks_and_iterations_that_they_were_measured_with():
    def words(**chosen):
        return [one.words for one in ProtectorEngine(**chosen).strengths]

    measured = words()
    assert all("of 100 faces" in said for said in measured)
    own = TipIm.strong().iterations
    assert words(surrogates=defaults.SURROGATES[::-1], iterations=own)[-1] == measured[-1]
    for chosen in ({"surrogates": ["mobileface"]}, {"iterations": own + 1}, {"iterations": 2}):
        for said, known in zip(words(**chosen), measured, strict=True):
            assert known.startswith(said) and not any(map(str.isdigit, said))


def test_photos_are_protected_and_come_back_as_a_zip_with_names_and_types(browser):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned
    sent = {
        "holiday/beach.jpg": picture(exif=exif),
        "holiday/beach.jpeg": picture(seed=1),
        "me.png": picture("PNG", seed=2),
        "old.webp": picture("WEBP", seed=3),
        "phone.HEIC": picture("HEIF", seed=4),
    }
    for name, content in sent.items():
        assert browser.send(name, content).status == 201
    photos = browser.rested()
    assert [len(photos[name]["faces"]) for name in sent] == [1] * 5
    assert (photos["holiday/beach.jpg"]["width"], photos["holiday/beach.jpg"]["height"]) == (60, 80)
    assert protect(browser, {p["id"]: [] for p in photos.values()}).json() == {"photos": 5}
    assert {p["state"] for p in browser.rested().values()} == {"done"}
    answer = browser.of_page("GET", "/zip")
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert sorted(archive.namelist()) == [
        *("holiday/beach.jpeg", "holiday/beach.jpg", "me.png", "old.png", "phone.jpg"),
    ]
    kinds = [Image.open(archive.open(name)).format for name in sorted(archive.namelist())]
    assert kinds == ["JPEG", "JPEG", "PNG", "PNG", "JPEG"]
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


def test_what_could_not_be_had_is_asked_for_again_and_its_trouble_is_over(folder):
    asked = []

    class Offline(FakeEngine):
        def load(self):
            asked.append(1)
            if len(asked) < 3:
                raise ConversionError("mobileface cannot be downloaded")

    with a_studio(folder, Offline()) as studio:
        browser = Browser(studio)
        browser.open()
        for seed in range(2):
            browser.send(f"{seed}.jpg", picture(seed=seed))
        ids = {photo["id"]: [] for photo in browser.rested().values()}
        browser.until(lambda told: told["trouble"] == "mobileface cannot be downloaded")
        protect(browser, ids)
        photos = browser.rested().values()
        assert {(one["state"], one["why"]) for one in photos} == {
            ("failed", "mobileface cannot be downloaded")
        }
        protect(browser, ids)
        assert {one["state"] for one in browser.rested().values()} == {"done"}
        assert browser.told()["trouble"] == "" and len(asked) == 3


def test_the_strengths_are_the_commands():
    found = strengths.strengths(iterations=3)
    assert [one.name for one in found] == ["subtle", "balanced", "strong"]
    assert found[2].method == replace(TipIm.strong(), iterations=3)


def test_masks_are_made_where_the_judge_cannot_be_had(monkeypatch):
    def load(name):
        raise ConversionError(f"{name} cannot be downloaded")

    monkeypatch.setattr(Recogniser, "load", load)
    engine = ProtectorEngine()
    monkeypatch.setitem(vars(engine), "_protector", SimpleNamespace(surrogates={}))
    engine.load()
    face = FakeEngine().find(255 * np.eye(90, dtype=np.uint8)[..., None].repeat(3, 2))[0]
    monkeypatch.setattr(engine, "find", lambda pixels: (face, []))
    assert engine.judge(Chosen(np.zeros((90, 90, 3), np.uint8), face), None) == [[]]


def test_one_face_and_many_are_one_program(monkeypatch):
    """A program is made for one size of batch: what is tried first is not to be compiled twice."""
    sizes = []

    def masks(surrogates, regions, *_, size, **__):
        sizes.append(size)
        return (Mask(np.zeros_like(one.pixels, np.float32), 0) for one in regions)

    monkeypatch.setattr(protectors, "masks", masks)
    protector = object.__new__(protectors.Protector)
    crops = np.zeros((1, 112, 112, 3), np.uint8)
    protector.targets = SimpleNamespace(names=("Ann",), crops=crops)
    protector.batch_size, protector.seed, protector._surrogates = 8, 0, ()
    protector._several = False
    engine = ProtectorEngine()
    monkeypatch.setitem(vars(engine), "_protector", protector)
    pixels = 255 * np.eye(90, dtype=np.uint8)[..., None].repeat(3, 2)
    (face,), _ = FakeEngine().find(pixels)
    for on_cpu, count in itertools.product((True, False), (1, 3)):
        protector._on_cpu = on_cpu
        photos = [Chosen(pixels, [face])] * count
        assert len([*engine.protect(photos, "strong", lambda _: None)]) == count
    assert len(set(sizes)) == 1 and sizes[0] >= 8


def test_the_page_runs_and_loads_nothing_from_elsewhere(browser):
    answer = browser.ask("GET", "")
    assert answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert "http" not in answer.text.replace("http-equiv", "")
    assert TOKEN not in answer.text
