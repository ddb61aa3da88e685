"""The page in a real browser, as somebody uses it who has never seen it."""

import io
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from app_cases import TOKEN, FakeEngine, a_studio, served
from app_tab import a_tab, choose, contrast, drop, portraits, saved, until
from PIL import Image

from tipim_jax.app.engine import ProtectorEngine

pytestmark = pytest.mark.thorough

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
SCREENSHOT = Path(__file__).parents[1] / "docs" / "app.png"


@pytest.fixture(scope="module")
def chromium():
    if CHROMIUM is None:
        pytest.skip("there is no Chromium; apt-get install chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def engine(detector):
    return FakeEngine(find=detector.find, seconds=1)


@pytest.fixture
def address(tmp_path, engine):
    folder = tmp_path / "photos"
    folder.mkdir()
    limits = {"upload": 2_000_000, "left_seconds": 2}
    with a_studio(folder, engine, **limits) as studio, served(studio) as port:
        yield f"http://127.0.0.1:{port}/{TOKEN}/"


@pytest.fixture
def tab(chromium, address):
    with a_tab(chromium, address) as page:
        yield page


def test_from_dropping_three_photos_to_the_zip(tab, engine):
    files = [(path.name, "image/jpeg", path.read_bytes()) for path in portraits()]
    drop(tab, files)
    until(tab, "document.querySelectorAll('.face').length === 3")
    # One face is left alone, by keyboard.
    tab.focus(".card:nth-child(3) .face")
    tab.keyboard.press("Enter")
    assert tab.inner_text("#protect") == "Protect 2 faces in 2 photos"
    tab.keyboard.press("Enter")
    tab.check("input[value=strong]")
    tab.click("#try-button")
    tab.wait_for_selector("#try-pictures:not([hidden])")
    assert "Strong: 2 recognisers take this face for somebody else" in tab.inner_text("#try-said")
    tab.click("#protect")
    until(tab, "document.querySelector('.card progress:not([hidden])')?.value > 0")
    tab.check("input[value=subtle]")
    tab.click("#try-button")  # another one, before the rest is done
    until(tab, "document.querySelectorAll('.card.done').length === 3")
    assert engine.protected.index(("subtle", 1)) < 4 < len(engine.protected)
    assert engine.protected.count(("strong", 1)) == 4
    archive = saved(tab)
    assert sorted(archive.namelist()) == sorted(path.name for path in portraits())
    for path in portraits():
        before = np.asarray(Image.open(path), int)
        after = np.asarray(Image.open(archive.open(path.name)), int)
        assert before.shape == after.shape and np.abs(before - after).max() > 4


def test_before_and_after_are_compared_with_mouse_and_keys_and_back_returns(tab):
    choose(tab)
    tab.click("#protect")
    until(tab, "document.querySelectorAll('.card.done').length === 3")
    tab.click(".card:nth-child(2) .acts button")
    where = "document.getElementById('after').style.clipPath"
    assert tab.evaluate(where).startswith("inset(0px 0px 0px 50%")
    tab.focus("#share")
    tab.keyboard.press("Home")
    assert tab.evaluate(where).startswith(("inset(0px)", "inset(0px 0px 0px 0%"))
    box = tab.locator("#layers").bounding_box()
    tab.mouse.click(box["x"] + 0.75 * box["width"], box["y"] + 50)
    assert tab.evaluate("Number(document.getElementById('share').value)") == 75
    tab.click("#zoom")
    size = tab.evaluate("[before.offsetWidth, before.naturalWidth]")
    assert size[0] == size[1]
    tab.click("[data-show=mask]")
    assert tab.is_visible("#mask")
    assert "lightcnn, which never saw the mask" in tab.inner_text("#verdicts")
    tab.go_back()
    assert not tab.is_visible("#compare")
    assert tab.evaluate("document.activeElement.textContent") == "Compare"
    tab.click(".card:nth-child(1) .acts button")
    tab.keyboard.press("Escape")
    tab.wait_for_selector("#compare", state="hidden")
    assert len(tab.query_selector_all(".card.done")) == 3


def test_one_button_is_the_main_one_whatever_is_done_already(tab):
    main = "[...document.querySelectorAll('#go .primary')].filter(b => b.checkVisibility())"
    choose(tab)
    assert tab.evaluate(f"{main}.map(b => b.id)") == ["protect"]
    tab.click("#protect")
    until(tab, "document.querySelectorAll('.card.done').length === 3")
    until(tab, f"{main}.map(b => b.id).join() === 'save-all'")
    tab.check("input[value=subtle]")
    assert tab.is_visible("#protect") and tab.is_visible("#save-all")
    assert tab.evaluate(f"{main}.map(b => b.id)") == ["protect"]
    assert contrast(tab, "#save-all") > 4.5
    tab.check("input[value=strong]")
    assert tab.evaluate(f"{main}.map(b => b.id)") == ["save-all"]


def test_a_newcomers_mistakes_are_told_in_words(tab, tmp_path):
    plain = io.BytesIO()
    Image.new("RGB", (300, 200), "green").save(plain, "PNG")
    drop(tab, [
        ("notes.txt", "text/plain", b"some notes"),
        ("renamed.jpg", "image/jpeg", b"some notes"),
        ("<b>huge</b>.jpg", "image/jpeg", bytes(2_500_000)),
        ("meadow.png", "image/png", plain.getvalue()),
        ("me.jpg", "image/jpeg", portraits()[0].read_bytes()),
    ])  # fmt: skip
    until(tab, "document.querySelectorAll('#notes li').length === 3")
    told = tab.inner_text("#notes")
    assert "notes.txt: it is no photo" in told
    assert "renamed.jpg: no picture in a format that can be read" in told
    assert "<b>huge</b>.jpg: it has 3 MB; a photo may have 2 MB" in told
    until(tab, "document.querySelectorAll('.face').length === 1")
    until(tab, "document.body.innerText.includes('No face found')")
    assert tab.inner_text("#protect") == "Protect 1 face in 1 photo"


def test_a_folder_keeps_its_folders_and_what_is_hidden_is_passed_over(tab, tmp_path):
    below = tmp_path / "holiday" / "beach"
    below.mkdir(parents=True)
    for place in (below / "a.jpg", below.parent / "a.jpg"):
        shutil.copy(portraits()[0], place)
    (below / ".DS_Store").write_bytes(b"of the system's own")
    (below / "notes.txt").write_text("some notes")
    tab.set_input_files("#folder", str(below.parent))
    until(tab, "document.querySelectorAll('.face').length === 2")
    assert tab.locator("#notes li").all_inner_texts() == ["holiday/beach/notes.txt: it is no photo"]
    tab.click("#protect")
    until(tab, "document.querySelectorAll('.card.done').length === 2")
    assert sorted(saved(tab).namelist()) == ["holiday/a.jpg", "holiday/beach/a.jpg"]


def test_faces_of_a_group_are_large_enough_to_click(tab):
    group = Image.new("RGB", (2000, 800), "grey")
    for number in range(3):
        one = Image.open(portraits()[number]).resize((160, 160))
        group.paste(one, (200 + 600 * number, 300))
    stream = io.BytesIO()
    group.save(stream, "JPEG", quality=95)
    drop(tab, [("group.jpg", "image/jpeg", stream.getvalue())])
    until(tab, "document.querySelectorAll('.face').length === 3")
    for face in tab.locator(".face").all():
        box = face.bounding_box()
        assert min(box["width"], box["height"]) >= 24  # WCAG 2.2, 2.5.8
    tab.locator(".face").nth(1).click()
    assert tab.inner_text("#protect") == "Protect 2 faces in 1 photo"
    tab.click("#protect")
    until(tab, "document.querySelectorAll('.card.done').length === 1")
    assert "all 2 faces for somebody else. 1 face not protected." in tab.inner_text(".state")


def test_a_reload_and_the_back_button_keep_the_photos_and_leaving_deletes_them(
    tab, address, tmp_path
):
    choose(tab)
    tab.reload()
    until(tab, "document.querySelectorAll('.face').length === 3")
    tab.goto("about:blank")
    tab.go_back()
    until(tab, "document.querySelectorAll('.face').length === 3")
    tab.goto("about:blank")
    for _ in range(60):
        if not [*tmp_path.rglob("original")]:
            break
        tab.wait_for_timeout(100)
    assert [*tmp_path.rglob("original")] == []


def test_two_tabs_have_photos_of_their_own_and_both_are_served(chromium, address):
    with a_tab(chromium, address) as first, a_tab(chromium, address) as second:
        choose(first)
        assert second.query_selector_all(".card") == []
        second.set_input_files("#files", str(portraits()[1]))
        second.wait_for_selector(".face")
        first.click("#protect")
        second.click("#protect")
        for tab, count in ((second, 1), (first, 3)):
            until(tab, f"document.querySelectorAll('.card.done').length === {count}")
        assert len(saved(second).namelist()) == 1


def test_what_was_begun_goes_on_when_the_page_is_closed(chromium, address):
    with a_tab(chromium, address) as tab:
        choose(tab)
        tab.click("#protect")
        tab.wait_for_selector(".card progress:not([hidden])")
        tab.close(run_before_unload=False)
        with a_tab(chromium, address) as another:
            assert another.query_selector_all(".card") == [], "another browser"
        again = tab.context.new_page()
        again.goto(address)
        until(again, "document.querySelectorAll('.card.done').length === 3")


@pytest.mark.parametrize("width", [320, 390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_every_screen_and_can_be_read(chromium, address, width, scheme):
    with a_tab(chromium, address, color_scheme=scheme) as tab:
        tab.set_viewport_size({"width": width, "height": 800})
        choose(tab)
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        unnamed = tab.evaluate(
            """() => [...document.querySelectorAll('button, a, input, progress')].filter(one =>
              one.checkVisibility() && !(one.getAttribute('aria-label') || one.textContent.trim()
              || one.labels?.length)).map(one => one.outerHTML)"""
        )
        assert unnamed == []
        assert contrast(tab, "h1") > 7 and contrast(tab, ".state") > 4.5
        assert contrast(tab, "#protect") > 4.5


@pytest.mark.slow
def test_the_real_engine_protects_photos(chromium, tmp_path):
    """With TIPIM_JAX_SCREENSHOT=1 as people have it, for docs/app.png; otherwise in short."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for_show = bool(os.environ.get("TIPIM_JAX_SCREENSHOT"))
    short = ProtectorEngine(surrogates=["mobileface"], iterations=2)
    engine = ProtectorEngine() if for_show else short
    with (
        a_studio(folder, engine) as studio,
        served(studio) as port,
        a_tab(chromium, f"http://127.0.0.1:{port}/{TOKEN}/") as tab,
    ):
        choose(tab)
        if for_show:
            tab.click("#try-button")
            until(tab, "!document.getElementById('try-pictures').hidden", seconds=900)
        tab.click("#protect")
        until(tab, "document.querySelectorAll('.card.done').length === 3", seconds=900)
        if for_show:
            tab.screenshot(path=str(SCREENSHOT))
        archive = saved(tab)
    before = np.asarray(Image.open(portraits()[0]), int)
    after = np.asarray(Image.open(archive.open(portraits()[0].name)), int)
    assert 0 < np.abs(before - after).max() < 40
