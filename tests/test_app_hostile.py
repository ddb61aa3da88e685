"""Nobody but the page gets anything, and nobody gets more than the page's share."""

import io
import itertools
import json
import os
import random
import struct
import time
import zlib
from types import SimpleNamespace

import psutil
import pytest
from app_cases import HOST, TOKEN, Browser, a_browser, a_studio, picture
from asgi import ask

from tipim_jax.app import lock

ORIGIN = f"http://{HOST}"
PATHS = ("", "pages", "pages/x", "pages/x/photos", "pages/x/zip", "pages/x/photos/y/after")
OTHERS = (
    *("evil.example", "evil.example:8377", "127.0.0.1", "127.0.0.1:80", "127.0.0.1:8377:8377"),
    *("127.0.0.1.evil.example:8377", "localhost.evil.example:8377", "[::]:8377", "0.0.0.0:8377"),
    *("192.168.1.1:8377", "user@127.0.0.1:8377", "127.0.0.1:8377@evil.example", "", "\xff", ":"),
)


@pytest.fixture
def browser(folder):
    with a_browser(folder, uploads=4, upload=200_000, photos=60, silent_seconds=1) as browser:
        yield browser


def hostile(browser, random):
    """1,000 requests, each with the answers that are right."""
    lock, page = browser.lock, browser.page
    right = [("host", HOST), ("origin", ORIGIN)]

    def one(allowed, method, path, headers=right, **how):
        return allowed, lambda: ask(lock, method, path, headers=headers, **how)

    tokens = [
        "", "x", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "%00", "..", f"../{TOKEN}", "%2e%2e",
        f"x/../{TOKEN}", "é", "\ud83d".encode("utf-8", "replace").decode(), "a" * 5000,
    ]  # fmt: skip
    for token, path in itertools.product(tokens, PATHS):
        for method in ("GET", "POST"):
            yield one({404}, method, f"/{token}/{path}")
    for host, path in itertools.product(OTHERS, PATHS):
        yield one({421}, "GET", f"/{TOKEN}/{path}", [("host", host)])
    yield one({421}, "GET", f"/{TOKEN}/", [])
    yield one({400}, "GET", f"/{TOKEN}/", [("host", HOST), ("host", "evil.example")])
    for origin in (
        "null",
        "http://evil.example",
        "https://" + HOST,
        "http://127.0.0.1",
        ORIGIN + "/",
    ):
        for path, method in itertools.product(PATHS, ("GET", "POST", "DELETE")):
            yield one({403}, method, f"/{TOKEN}/{path}", [("host", HOST), ("origin", origin)])
    for path in PATHS[1:]:
        yield one({403}, "POST", f"/{TOKEN}/{path}", [("host", HOST)])  # no Origin at all
        for site in ("cross-site", "same-site", "anything"):
            sent = [("host", HOST), ("sec-fetch-site", site), ("sec-fetch-mode", "no-cors")]
            yield one({403}, "GET", f"/{TOKEN}/{path}", sent)
    for method in ("PUT", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get", "X" * 1000):
        for path in PATHS:
            yield one({405}, method, f"/{TOKEN}/{path}")
    outside = ("../../../etc/passwd", "..%2f..%2fetc%2fpasswd", "%2fetc%2fpasswd", "original", "..",
               "after.jpg", "small.jpg", "%00", "con", "a" * 3000, "C:%5cWindows")  # fmt: skip
    for name in outside:
        for path in (name, f"pages/{name}", f"pages/{page}/{name}", f"pages/{page}/trial/{name}",
                     f"pages/{page}/photos/{name}", f"pages/{page}/photos/{name}/after",
                     f"pages/{page}/photos/{name}/{name}"):  # fmt: skip
            yield one({404, 405}, "GET", f"/{TOKEN}/{path}")
    bodies = (
        b"", b"[", b"[]", b"null", b"1" * 5000, b"[" * 100_000, b'{"photos": 1}', b"\xff\xfe",
        b'{"strength": {}}', b'{"strength": "balanced", "photos": {"a": "b"}}',
        b'{"strength": "balanced", "photo": {}, "face": -1}', b"{" * 260_000,
        b'{"strength": "../strong", "photos": {}}', b'{"strength": "balanced", "face": 1e99}',
    )  # fmt: skip
    for body, what in itertools.product(bodies, ("protect", "trial")):
        yield one({400, 404, 413}, "POST", f"/{TOKEN}/pages/{page}/{what}", chunks=(body,))
    there = f"/{TOKEN}/pages/{page}/photos"
    for length in ("200001", "9" * 18, "-1", "1e3", "9" * 30, "0x10", ""):
        sent = [*right, ("content-length", length)]
        yield one({400, 413}, "POST", f"{there}?name=a.jpg", sent)
    for count in (3, 30):
        chunks = [bytes(100_000)] * count  # more than it says
        yield one(
            {413}, "POST", f"{there}?name=a.jpg", [*right, ("content-length", "10")], chunks=chunks
        )
        yield one({413}, "POST", f"{there}?name=a.jpg", chunks=chunks)
    for size in (0, 1, 1000, 100_000):
        chunks = (random.randbytes(size),)
        yield one({400}, "POST", f"{there}?name=a.jpg", chunks=chunks, whole=False)
    names = (
        *outside,
        "<script>alert(1)</script>.jpg",
        "%0d%0aset-cookie:%20a=b",
        "%ff%fe",
        "a" * 60_000,
    )
    for name in names:
        yield one({201, 429}, "POST", f"{there}?name={name}&modified=9e9", chunks=(picture(),))
    for bomb in bombs():
        yield one({201, 429}, "POST", f"{there}?name=bomb.png", chunks=(bomb,))
    for _ in range(60):
        yield one({201, 429}, "POST", f"{there}?name=noise.jpg", chunks=(mutated(random),))


def mutated(random):
    content = bytearray(picture(size=(40, 30)))
    for _ in range(5):
        content[random.randrange(len(content))] = random.randrange(256)
    return bytes(content)


def bombs():
    """Pictures of 30,000 × 30,000 and of 11,000 × 10,000 pixels in a few bytes."""
    for side in (30_000, 2**31 - 1, 10_500):
        head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
        rows = zlib.compress(bytes(1_000_000))

        def chunk(kind, content):
            return (
                struct.pack(">I", len(content))
                + kind
                + content
                + struct.pack(">I", zlib.crc32(kind + content))
            )

        yield (
            b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
        )


def test_a_thousand_hostile_requests_get_the_right_answers_and_leave_nothing(
    browser, folder, tmp_path
):
    process = psutil.Process()
    requests = list(hostile(browser, random.Random(0)))
    requests += [requests[i] for i in random.Random(1).choices(range(150), k=1000 - len(requests))]
    assert len(requests) >= 1000
    for _, request in requests[::10]:  # what is made once is not a leak
        request()
    before = process.memory_info().rss
    wrong, secret = [], os.fspath(folder)
    for number, (allowed, request) in enumerate(requests):
        answer = request()
        if answer.status not in allowed or secret in answer.content.decode("latin-1"):
            wrong.append((number, answer.status, allowed, answer.content[:100]))
        if "nosniff" not in answer.headers["x-content-type-options"]:
            wrong.append((number, "headers"))
        assert "set-cookie" not in answer.headers
    assert wrong == []
    photos = browser.rested()
    assert all(one["state"] in ("ready", "failed") for one in photos.values())
    # Nothing outside, and every name within is one that was drawn here, or fixed.
    assert [*tmp_path.iterdir()] == [folder]
    fixed = {"original", "small.jpg"}
    for path in folder.rglob("*"):
        assert path.name in fixed or (len(path.name) == 24 and int(path.name, 16)), path
    assert process.memory_info().rss < before + 60e6
    browser.of_page("POST", "/leave")
    browser.studio.sweep(time.monotonic() + 3600)
    assert [*folder.iterdir()] == []


def test_bombs_are_refused_by_their_headers(browser):
    for bomb in bombs():
        browser.send("bomb.png", bomb)
    browser.rested()
    told = browser.told()["photos"]
    assert len(told) == 3 and {one["state"] for one in told} == {"failed"}
    assert "up to 100 million" in told[2]["why"]
    assert all("million pixels" in one["why"] or "cannot read" in one["why"] for one in told)


def test_a_page_takes_so_many_photos_and_no_more(folder):
    with a_studio(folder, photos=2) as studio:
        browser = Browser(studio)
        browser.open()
        answers = [browser.send(f"{i}.jpg", picture()) for i in range(3)]
        assert [one.status for one in answers] == [201, 201, 429]
        assert "2 photos" in answers[2].json()["error"]


def test_there_is_room_for_so_many_bytes_and_pages(folder):
    with a_studio(folder, stored=len(picture()), pages=2) as studio:
        browser = Browser(studio)
        browser.open()
        assert browser.send("a.jpg", picture()).status == 201
        assert browser.send("b.jpg", picture()).status == 429
        browser.open()
        assert browser.post("pages", {}).status == 429


def test_the_address_for_the_browser_works_once(browser):
    once = browser.lock.once
    first = ask(browser.lock, "GET", once, headers=[("host", HOST)])
    assert (first.status, first.headers["location"]) == (303, f"/{TOKEN}/")
    assert ask(browser.lock, "GET", once, headers=[("host", HOST)]).status == 404


def test_the_address_for_the_browser_expires(folder, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(lock, "time", SimpleNamespace(monotonic=lambda: now[0]))
    with a_studio(folder) as studio:
        browsers = [Browser(studio) for _ in range(2)]
    for seconds, browser, status in ((100, browsers[0], 303), (1000, browsers[1], 404)):
        now[0] = 1000.0 + seconds
        answer = ask(browser.lock, "GET", browser.lock.once, headers=[("host", HOST)])
        assert answer.status == status


def test_a_link_to_the_page_is_followed_from_anywhere(browser):
    sent = [("host", HOST), ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")]
    assert ask(browser.lock, "GET", f"/{TOKEN}/", headers=sent).status == 200


def test_names_are_told_as_text(browser):
    browser.send("</script><script>alert(1)</script>.jpg", picture())
    told = browser.of_page("GET")
    assert told.headers["content-type"] == "application/json"
    assert json.loads(told.content)["photos"][0]["name"].endswith("_.jpg")
    assert io.BytesIO(told.content).read().count(b"<") == 0
