"""How long the page keeps photos: as long as they are worked on."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

import pytest
from app_cases import Browser, FakeEngine, a_studio, picture, protect

from tipim_jax.app.__main__ import forget_killed_runs, has_screen


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
        left = browser.page
        assert another.open()["page"] != left, "who cannot name it does not get it"
        hold.set()
        assert browser.open(begun=["", "0" * 24, another.page, left])["page"] == left
        assert browser.rested()["me.jpg"]["state"] == "done"
        assert another.open(begun=[left])["page"] != left, "it is open"
        assert browser.post("pages", {"begun": [1]}).status == 400


def test_a_photo_that_nobody_works_on_is_deleted_after_an_hour(folder):
    with a_studio(folder) as studio:
        browser = Browser(studio)
        browser.open()
        browser.send("me.jpg", picture())
        browser.rested()
        studio.sweep(time.monotonic() + 3590)
        assert browser.told()["photos"]
        studio.sweep(time.monotonic() + 3610)
        assert not [*folder.rglob("original")]


def test_nothing_is_left_when_it_ends(folder):
    with a_studio(folder) as studio:
        browser = Browser(studio)
        browser.open()
        browser.send("me.jpg", picture())
        browser.rested()
    assert not folder.exists()


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


@pytest.mark.parametrize(
    ("system", "screen", "opens"),
    [("linux", "", False), ("linux", ":0", True), ("darwin", "", True), ("win32", "", True)],
)
def test_a_browser_is_opened_where_there_is_a_screen(monkeypatch, system, screen, opens):
    monkeypatch.setattr(sys, "platform", system)
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.setenv(name, screen if name == "DISPLAY" else "")
    assert has_screen() == opens


def test_photos_of_runs_that_were_killed_are_deleted_by_the_next_one(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name, hours in (("tipim-app-old", 3), ("tipim-app-alive", 0), ("another", 3)):
        (tmp_path / name).mkdir()
        then = time.time() - 3600 * hours
        os.utime(tmp_path / name, (then, then))
    forget_killed_runs()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["another", "tipim-app-alive"]
