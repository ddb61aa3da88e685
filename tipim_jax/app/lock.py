"""The lock before the page: who does not come from the page itself, with its token, gets nothing.

The token is the first part of every address. A page elsewhere on the web that reaches this machine
through a name of its own (DNS rebinding) comes with that name as Host; one that makes a browser
send something here comes with its own Origin.
"""

import asyncio
import contextlib
import ipaddress
import json
import secrets
import socket
import time
from collections.abc import Mapping

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_ONCE_SECONDS = 120  # for a browser to start in
_READING = ("GET", "HEAD")
_METHODS = (*_READING, "POST", "DELETE")
_HEADERS = {
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine reaches an address or name."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Lock:
    """An ASGI application that lets through to another what comes from its own page."""

    def __init__(self, app, *, token: str, host: str, port: int, policy: str):
        """Wraps an application.

        Args:
          app: sees paths without the token.
          token: first part of every path.
          host: that is listened on.
          port: likewise.
          policy: Content-Security-Policy of every answer.
        """
        self._app, self._token, self._port = app, token, port
        self._headers = _HEADERS | {"content-security-policy": policy}
        self._anybody = not is_loopback(host)
        self._names = {*_LOOPBACK, host, f"[{host}]"}
        if self._anybody:
            self._names |= {socket.gethostname(), socket.getfqdn()}
        self._names = {name.lower() for name in self._names}  # as browsers send them
        self._once = secrets.token_urlsafe(24)
        self._once_until = time.monotonic() + _ONCE_SECONDS

    @property
    def once(self) -> str:
        """A path that leads to the page one single time, and soon: what a program is started with,
        others on this machine can read."""
        return f"/{self._once}"

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        if scope["type"] != "http":
            return None
        refused = self._refused(scope)
        if refused:
            return await self._answer(send, *refused)
        first, rest = self._parts(scope["path"])
        is_once = secrets.compare_digest(first, self._once.encode()) and not rest
        if is_once and time.monotonic() < self._once_until:
            self._once_until = 0.0
            return await self._answer(send, 303, "", {"location": f"/{self._token}/"})
        if not secrets.compare_digest(first, self._token.encode()):
            return await self._answer(send, 404, "there is nothing here")
        if not rest:  # the address without its last sign
            return await self._answer(send, 303, "", {"location": f"/{self._token}/"})
        answered = False

        async def sending(message):
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                message["headers"] = [*message.get("headers", ()), *_encoded(self._headers)]
            await send(message)

        inner = {**scope, "path": rest, "raw_path": rest.encode(), "root_path": ""}
        try:
            await self._app(inner, receive, sending)
        except (asyncio.CancelledError, MemoryError):
            raise
        except Exception:
            if not answered:
                with contextlib.suppress(Exception):  # nobody may be there any more
                    await self._answer(send, 500, "something went wrong here")
            raise

    def _parts(self, path: str) -> tuple[bytes, str]:
        first, slash, rest = path.removeprefix("/").partition("/")
        return first.encode("utf-8", "replace"), slash + rest

    def _refused(self, scope) -> tuple[int, str] | None:
        if scope["method"] not in _METHODS:
            return 405, "this is not done here"
        sent: dict[str, list[str]] = {}
        for name, value in scope["headers"]:
            sent.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
        if any(len(sent.get(name, ())) > 1 for name in ("host", "origin", "content-length")):
            return 400, "a header comes twice"
        (host,) = sent.get("host", [""])
        if not self._is_ours(host):
            return 421, "this page has another address"
        (origin,) = sent.get("origin", [""])
        reading = scope["method"] in _READING
        if origin != f"http://{host}" and (origin or not reading):
            return 403, "another page asked for this"
        site = sent.get("sec-fetch-site", ["none"])[-1]
        followed = reading and sent.get("sec-fetch-mode") == ["navigate"]  # a link to the page
        if site not in ("none", "same-origin") and not followed:
            return 403, "another page asked for this"
        return None

    def _is_ours(self, host: str) -> bool:
        name, colon, port = host.rpartition(":")
        if not colon or port != str(self._port):
            return host in self._names and self._port == 80
        if name in self._names:
            return True
        if not self._anybody:
            return False
        try:  # a number is no name that somebody could have taken
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return False
        return True

    async def _answer(self, send, status: int, text: str, more: Mapping[str, str] = {}):
        body = json.dumps({"error": text}).encode() if text else b""
        headers = {
            **self._headers,
            "content-type": "application/json",
            "content-length": str(len(body)),
            "connection": "close",
            **more,
        }
        await send(
            {"type": "http.response.start", "status": status, "headers": [*_encoded(headers)]}
        )
        await send({"type": "http.response.body", "body": body})


def _encoded(headers: Mapping[str, str]):
    return ((name.encode(), value.encode()) for name, value in headers.items())
