"""Uploads that never end, break off or come all at once, over a real connection."""

import contextlib
import re
import select
import socket
import time
from contextlib import ExitStack

import psutil
import pytest
from app_cases import TOKEN, Browser, a_browser, a_studio, picture, served


@pytest.fixture
def browser(folder):
    with a_browser(folder, uploads=4, upload=200_000, silent_seconds=1, head_seconds=1) as browser:
        yield browser


def connection(port):
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def head(port, page, *more, host=None, token=TOKEN):
    host = host or f"127.0.0.1:{port}"
    lines = (
        f"POST /{token}/pages/{page}/photos?name=a.jpg HTTP/1.1",
        *(f"Host: {host}", f"Origin: http://{host}", *more, "", ""),
    )
    return "\r\n".join(lines).encode()


def answered(stream):
    """Everything that comes until the other side closes."""
    content = b""
    try:
        while part := stream.recv(65536):
            content += part
    except ConnectionError:
        pass
    return content


@pytest.fixture
def port(browser):
    with served(browser.studio) as port:
        yield port


def test_endless_truncated_and_silent_uploads_end_and_leave_nothing(browser, port, folder):
    page = browser.page
    for _ in range(3):  # truncated: who sends goes away
        with connection(port) as stream:
            stream.sendall(head(port, page, "Content-Length: 100000") + b"x" * 500)
    with connection(port) as stream:  # silent
        stream.sendall(head(port, page, "Content-Length: 100000") + b"x" * 500)
        assert b" 408 " in answered(stream).split(b"\r\n")[0]
    with connection(port) as stream:  # endless
        stream.sendall(head(port, page, "Transfer-Encoding: chunked"))
        sent = 0
        try:
            while sent < 50_000_000:
                stream.sendall(b"10000\r\n" + bytes(65536) + b"\r\n")
                sent += 65536
        except OSError:
            pass
        assert sent < 20_000_000
    with connection(port) as stream:  # endless, from who has no token
        stream.sendall(head(port, page, "Transfer-Encoding: chunked", token="x" * 26))
        assert b" 404 " in answered(stream).split(b"\r\n")[0]
    for nonsense in (b"\x16\x03\x01\x02\x00\x01", b"GET\r\n\r\n", bytes(1000), b"A" * 100_000):
        with connection(port) as stream:
            stream.sendall(nonsense + b"\r\n\r\n")
            assert answered(stream).split(b"\r\n")[0] in (b"HTTP/1.1 400 Bad Request", b"")
    end = time.monotonic() + 10
    while [*folder.rglob("original")] and time.monotonic() < end:
        time.sleep(0.05)
    assert [*folder.rglob("original")] == []
    assert browser.told()["photos"] == []


def test_half_of_a_request_keeps_nobody_from_being_answered_and_is_given_up(browser, port):
    whole = f"GET /{TOKEN}/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n".encode()
    with ExitStack() as stack:
        streams = [stack.enter_context(connection(port)) for _ in range(10)]
        for number, stream in enumerate(streams):
            stream.sendall(whole[: 4 * number])  # nothing at all; half a line; no end of the head
        kept = stack.enter_context(connection(port))
        kept.sendall(whole + b"\r\n")
        assert b" 200 " in _answer(kept)
        streams.append(kept)
        kept.sendall(whole)  # a second request
        with connection(port) as another:
            another.sendall(whole + b"Connection: close\r\n\r\n")
            assert b" 200 " in answered(another).split(b"\r\n")[0]
        waiting, dripping = set(streams), streams[1]
        end = time.monotonic() + 20
        while waiting and time.monotonic() < end:
            with contextlib.suppress(OSError):
                dripping.sendall(b"x")
            readable, _, _ = select.select([*waiting], [], [], 0.1)
            waiting -= {stream for stream in readable if answered(stream) == b""}
        assert not waiting


def _answer(stream):
    """Reads one, whole."""
    head = b""
    while b"\r\n\r\n" not in head:
        head += stream.recv(1) or pytest.fail("it was closed")
    length = int(re.search(rb"content-length: ([0-9]+)", head)[1])
    while length:
        length -= len(stream.recv(length)) or pytest.fail("it was closed")
    return head.split(b"\r\n")[0]


def test_of_ten_uploads_at_once_some_are_taken_and_the_others_told_to_wait(folder):
    content = picture()
    with a_studio(folder, uploads=4) as studio, served(studio) as port, ExitStack() as stack:
        browser = Browser(studio)
        browser.open()
        streams = [stack.enter_context(connection(port)) for _ in range(10)]
        for stream in streams:
            length = f"Content-Length: {len(content)}"
            stream.sendall(head(port, browser.page, length, "Connection: close"))
        refused = []
        while len(refused) < 6:
            readable, _, _ = select.select([*set(streams) - {*refused}], [], [], 10)
            assert readable
            refused += readable
        assert {answered(stream).split()[1] for stream in refused} == {b"429"}
        taken = [stream for stream in streams if stream not in refused]
        for stream in taken:
            stream.sendall(content)
        assert [answered(stream).split()[1] for stream in taken] == [b"201"] * 4
        browser.rested()
        assert len(browser.told()["photos"]) == 4


def test_the_server_listens_on_this_machine_alone(browser, port):
    listening = [c for c in psutil.Process().net_connections("tcp") if c.laddr.port == port]
    assert {c.laddr.ip for c in listening if c.status == "LISTEN"} == {"127.0.0.1"}
