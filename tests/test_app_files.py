"""The files behind the page: whole, deleted with their photos, and called as the photos are."""

import io
import shutil
import zipfile

import pytest
from app_cases import Browser, FakeEngine, a_browser, a_studio, picture, protect

from tipim_jax.app import pictures
from tipim_jax.app.engine import Masked
from tipim_jax.app.names import safe_name


@pytest.fixture
def browser(folder):
    with a_browser(folder) as browser:
        yield browser


def test_a_photo_that_is_made_anew_is_never_seen_half(folder):
    class Another(FakeEngine):
        def protect(self, *given):
            for masked in super().protect(*given):
                yield Masked(masked.pixels // len(self.protected), masked.reasons)

    with a_studio(folder, Another()) as studio:
        browser = Browser(studio)
        browser.open()
        browser.send("me.png", picture("PNG"))
        (photo,) = browser.rested().values()
        protect(browser, {photo["id"]: []})
        browser.rested()
        (place,) = folder.rglob("after.png")
        before = place.read_bytes()
        with place.open("rb") as reading:  # as the zip does
            some = reading.read(100)
            protect(browser, {photo["id"]: []}, "strong")
            browser.rested()
            assert some + reading.read() == before
        assert place.read_bytes() != before
        assert not [*folder.rglob("*.part")]


def test_a_photo_that_is_removed_meanwhile_is_left_out_of_the_zip(browser):
    for seed in range(2):
        browser.send(f"{seed}.png", picture("PNG", seed=seed))
    protect(browser, {photo["id"]: [] for photo in browser.rested().values()})
    browser.rested()
    (page,) = browser.studio.pages.values()
    shutil.rmtree(next(iter(page.photos.values())).folder)
    answer = browser.of_page("GET", "/zip")
    assert zipfile.ZipFile(io.BytesIO(answer.content)).namelist() == ["1.png"]
    with pytest.raises(FileNotFoundError):
        pictures._write(page.folder / "removed" / "small.jpg", b"")
    assert not (page.folder / "removed").exists()


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
        ("AUX .tar.gz", "_AUX .tar.gz"),
        ("lpt1", "_lpt1"),
        ("com².jpg", "_com².jpg"),
        ("conin$", "_conin$"),
        ("console.jpg", "console.jpg"),
        ("com10.jpg", "com10.jpg"),
        ("<img src=x onerror=alert(1)>.jpg", "_img src=x onerror=alert(1)_.jpg"),
        ("x" * 300 + ".jpeg", "x" * 115 + ".jpeg"),
        ("\u202egpj.exe", "_u202egpj.exe"),
    ],
)
def test_names_are_made_safe(said, made):
    assert str(safe_name(said)) == made


def test_photos_of_one_name_are_told_apart_in_the_zip(browser):
    for seed, name in enumerate(("IMG_1.jpg", "img_1.JPG")):
        browser.send(name, picture(seed=seed))
    ids = [photo["id"] for photo in browser.told()["photos"]]
    browser.rested()
    protect(browser, {one: [] for one in ids})
    browser.rested()
    archive = zipfile.ZipFile(io.BytesIO(browser.of_page("GET", "/zip").content))
    assert sorted(archive.namelist()) == ["IMG_1.jpg", "img_1 (2).JPG"]
