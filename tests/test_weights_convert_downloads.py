"""Files come from addresses whole and unchanged, or not at all."""

import contextlib
import dataclasses
import http.server
import re
import socket
import subprocess
import sys
import threading
import time
from hashlib import sha256

import numpy as np
import pytest

from tipim_jax.networks import get
from tipim_jax.networks.origin import Download
from weights_convert import ConversionError, conversion, convert, is_cached, obtain
from weights_convert.origins import cached_path, download, known_sha256

WEIGHTS = np.random.default_rng(0).bytes(300_000)


class _Server(http.server.ThreadingHTTPServer):
    """Serves one file, in the ways in which servers do and fail to.

    Attributes:
      content, version: of the file; the version goes out as its ETag, None: none does.
      ranges: whether parts may be asked for; "wrong" sends another part than that, "whatever the
        version" sends it also if the file is another by now.
      cut: after how many bytes the connection breaks, None: never.
      headers: that replace others; None leaves one out.
      go: what it waits for before it answers.
      asked: the range that each request asked for.
    """

    content, version, ranges, cut, status = WEIGHTS, "1", True, None, 200

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked, self.headers, self.go = [], {}, threading.Event()
        self.go.set()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/models/model%20a.pth?from=here"


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        asked, condition = self.headers.get("Range"), self.headers.get("If-Range")
        server.asked.append(asked)
        server.go.wait(30)
        whole, first, status = server.content, 0, server.status
        headers = {"ETag": server.version and f'"{server.version}"'}
        same = condition == headers["ETag"] or server.ranges == "whatever the version"
        if status == 200 and asked and server.ranges and same:
            first = int(re.fullmatch(r"bytes=(\d+)-", asked)[1])
            status = 206 if first < len(whole) else 416
            first -= server.ranges == "wrong"
            headers["Content-Range"] = f"bytes {first}-{len(whole) - 1}/{len(whole)}"
        body = whole[first:] if status in (200, 206) else b""
        headers |= {"Content-Length": str(len(body)), "Content-Type": "application/octet-stream"}
        self.send_response(status)
        for name, value in (headers | server.headers).items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(body[: server.cut])

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with _Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


PINNED = sha256(WEIGHTS).hexdigest()


@pytest.mark.parametrize("pinned", [PINNED, None])
def test_download_is_kept_and_not_repeated(pinned, cache, server, capsys):
    origin = Download(server.url, pinned, "not stated")
    path = obtain(origin)
    assert (path.name, path.read_bytes()) == ("model a.pth", WEIGHTS)
    assert f"downloading {server.url}, 0.3 MB …\n" == capsys.readouterr().err
    assert known_sha256(origin) == PINNED
    assert obtain(origin) == path
    assert server.asked == [None]
    assert set(cache()) - {path} == ({_record(cache)} if pinned is None else set())


@pytest.mark.parametrize("pinned", [PINNED, None])
def test_download_goes_on_where_it_broke_off(pinned, cache, server):
    origin = Download(server.url, pinned, "not stated")
    server.cut = 100_000
    for here in (100_000, 200_000):
        with pytest.raises(ConversionError, match=rf"{here} of 300000 bytes; run this again"):
            obtain(origin)
    assert not cached_path(origin).exists()
    server.cut = None
    assert obtain(origin).read_bytes() == WEIGHTS
    assert server.asked == [None, "bytes=100000-", "bytes=200000-"]
    assert not [path for path in cache() if ".part" in path.name]


@pytest.mark.parametrize(
    "change",
    [
        {"ranges": False},  # sends all of it, whatever it is asked
        {"ranges": "wrong"},
        {"version": "2", "content": WEIGHTS[::-1]},
        {"version": "2", "content": WEIGHTS[::-1], "ranges": "whatever the version"},
        {"version": "2", "content": WEIGHTS[:1000]},
        {"version": "1", "content": WEIGHTS[:1000]},  # 416
        {"version": None},
    ],
)
def test_download_starts_again_where_it_cannot_go_on(change, cache, server):
    origin = Download(server.url, None, "not stated")
    server.version = None if change == {"version": None} else "1"
    server.cut = 100_000
    with pytest.raises(ConversionError, match="broke off"):
        obtain(origin)
    server.cut = None
    for name, value in change.items():
        setattr(server, name, value)
    assert obtain(origin).read_bytes() == server.content


def test_download_survives_a_date_as_the_only_version(cache, server):
    server.version = None
    server.headers = {"Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}
    origin, server.cut = Download(server.url, None, "not stated"), 100_000
    with pytest.raises(ConversionError, match="broke off"):
        obtain(origin)
    server.cut = None
    assert obtain(origin).read_bytes() == WEIGHTS


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"status": 404}, r"model%20a\.pth\?from=here: the server answers 404 .*--from FILE"),
        ({"status": 503}, "the server answers 503"),
        ({"headers": {"Content-Type": "text/html; charset=utf-8"}}, "sends a web page"),
        ({"headers": {"Content-Length": None}}, "a size of 0 bytes, expected 1 to 2147483648"),
        ({"headers": {"Content-Length": str(3 << 30)}}, "a size of 3221225472 bytes, expected"),
        ({"content": b""}, "a size of 0 bytes"),
        ({"content": WEIGHTS[:-1]}, rf"model%20a\.pth.* sha256 found \w+, expected {PINNED}"),
    ],
)
def test_download_of_anything_else_leaves_nothing(change, match, cache, server):
    for name, value in change.items():
        setattr(server, name, value)
    with pytest.raises(ConversionError, match=match):
        obtain(Download(server.url, PINNED, "not stated"))
    assert cache() == []


def test_download_without_a_network_says_what_to_do(cache):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/model.pth"
        match = rf"{url}: .*refused.*Is there a network\? .*model\.pth.*--from FILE"
        with pytest.raises(ConversionError, match=match):
            obtain(Download(url, PINNED, "not stated"))
    assert cache() == []


def test_download_waits_for_bytes_only_so_long(cache, server, monkeypatch):
    monkeypatch.setattr(download, "_TIMEOUT", 0.2)
    waiting = threading.Event()
    monkeypatch.setattr(_Handler, "do_GET", lambda _: waiting.wait(5))
    with pytest.raises(ConversionError, match="timed out"):
        obtain(Download(server.url, PINNED, "not stated"))
    waiting.set()


def test_only_addresses_of_the_web_are_fetched(cache, tmp_path):
    (tmp_path / "file").write_bytes(WEIGHTS)
    with pytest.raises(ConversionError, match="begins with http"):
        obtain(Download((tmp_path / "file").as_uri(), PINNED, "not stated"))


def test_first_hash_seen_holds_and_a_change_is_an_error(cache, server):
    origin = Download(server.url, None, "not stated")
    path = obtain(origin)
    record = _record(cache)
    assert record.read_text() == f"{PINNED}  {server.url}\n"
    path.unlink()
    obtain(origin)
    path.write_bytes(b"damaged")
    assert obtain(origin).read_bytes() == WEIGHTS
    path.unlink()
    server.content = WEIGHTS[::-1]
    changed = sha256(server.content).hexdigest()
    match = rf"found {changed}, expected {PINNED}.*recorded in {record}; .*delete that record"
    with pytest.raises(ConversionError, match=match):
        obtain(origin)
    assert cache() == [record]
    record.unlink()
    assert obtain(origin).read_bytes() == server.content
    record.write_text("")
    with pytest.raises(ConversionError, match=f"{record}: expected a hash, found ''; delete"):
        obtain(origin)


def test_two_processes_that_want_the_same_file_fetch_it_once(cache, server):
    code = (
        "import sys; from tipim_jax.networks.origin import Download; from weights_convert import "
        "obtain; print('ready', flush=True); print(obtain(Download(*sys.argv[1:])))"
    )
    command = [sys.executable, "-c", code, server.url, PINNED, "not stated"]
    server.go = threading.Event()
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.stdout.readline() for process in both] == ["ready\n"] * 2
    time.sleep(0.5)  # by now both have asked, or one waits for the other
    server.go.set()
    found = [process.communicate()[0].strip() for process in both]
    assert found == [str(path) for path in cache()] * 2
    assert server.asked == [None]


def test_two_downloads_at_once_are_one(cache, server):
    origin = Download(server.url, None, "not stated")
    found = []
    threads = [threading.Thread(target=lambda: found.append(obtain(origin))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [cached_path(origin)] * 4
    assert server.asked == [None]


@pytest.fixture
def elsewhere(server, monkeypatch):
    """mobileface, as if it were published at an address without a hash."""
    weights = Download(server.url, None, "not stated")
    network = dataclasses.replace(get("mobileface"), weights=weights)
    monkeypatch.setattr(conversion, "get", lambda _: network)
    return network


def test_downloaded_file_that_does_not_convert_leaves_nothing(elsewhere, cache):
    with pytest.raises(ConversionError, match=r"model a\.pth"):
        convert("mobileface")
    assert cache() == []


def test_network_is_converted_from_a_download(elsewhere, server, tmp_path, monkeypatch):
    published = obtain(get("mobileface").weights)
    monkeypatch.setenv("TIPIM_JAX_HOME", str(tmp_path / "new"))
    server.content = published.read_bytes()
    assert not is_cached(elsewhere)
    convert("mobileface")
    assert is_cached(elsewhere)
    cached_path(elsewhere.weights).unlink()
    assert is_cached(elsewhere)


def _record(cache):
    (record,) = (path for path in cache() if path.parent.name == "seen")
    return record
