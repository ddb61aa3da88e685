"""`tipim app`: see `--help`."""

import dataclasses
import os
import re
import secrets
import signal
import socket
import sys
import tempfile
import threading
import time
import webbrowser
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import tyro

from tipim_jax import flags, networks, source
from tipim_jax.app.limits import Limits
from tipim_jax.configuration import SettingsError
from tipim_jax.console import Console

_FOLDER = "tipim-app-"  # in the system's folder for what is temporary
_STALE_SECONDS = 2 * 3600
_TOKEN = "TIPIM_TOKEN"
_SHORTEST_TOKEN = 20
_CONNECTIONS = 64
NetworkName = tyro.extras.literal_type_from_choices(networks.names())


@dataclass(frozen=True, kw_only=True)
class App:
    """Protect photos on a page in your browser.

    Opens the page; drop photos on it. It is served by this machine to this machine alone, and only
    to who has its address, which is another one every time. Photos are deleted when the page is
    left, where masks are being made an hour later, or after an hour. Ctrl-C ends it.

    Attributes:
      host: Address to listen on. Any but 127.0.0.1 lets other machines in, unencrypted, and takes
        a token.
      port: To listen on; 0 is any that is free.
      token: What the page's address begins with, for those who may use it; 20 letters or more.
        Others on this machine can read it in the list of what runs; the variable TIPIM_TOKEN, which
        says the same, they cannot.
      open: Open a browser.
      surrogate: Network that masks are made against; give it once per network.
      iterations: How often a mask is improved; fewer are faster, and weaker.
    """

    host: str = "127.0.0.1"
    port: int = 0
    token: Annotated[str | None, flags.unset("drawn at random", "TOKEN")] = None
    open: bool = True
    surrogate: Annotated[
        tyro.conf.UseAppendAction[tuple[NetworkName, ...]],
        flags.unset("as tipim protect", "NETWORK"),
    ] = ()
    iterations: Annotated[int | None, flags.unset("the strength's", "N")] = None


def main(arguments: list[str]) -> int:
    """Returns the exit status: 0 after Ctrl-C, 1 where it cannot begin."""
    settings = flags.parse(App, arguments, "tipim app")
    named = "--token"
    if settings.token is None:
        named = _TOKEN
        settings = dataclasses.replace(settings, token=os.environ.get(_TOKEN) or None)
    errors = Console(stderr=True)
    try:
        _check(settings, named)
        listening = _listen(settings.host, settings.port)
    except SettingsError as error:
        errors.error(error)
        return 1
    forget_killed_runs()
    with (
        listening,
        tempfile.TemporaryDirectory(prefix=_FOLDER, ignore_cleanup_errors=True) as folder,
    ):
        _serve(settings, listening, Path(folder), Console())
    return 0


def _check(settings: App, named: str) -> None:
    """Raises SettingsError for what would let others in; `named` says where the token is from."""
    from tipim_jax.app.lock import is_loopback

    if settings.token is None:
        if not is_loopback(settings.host):
            raise SettingsError(
                f"--host {settings.host} lets other machines in; expected --token with it, or the "
                f"variable {_TOKEN}: {_SHORTEST_TOKEN} letters or more that nobody can guess, such "
                f"as {secrets.token_hex(16)}"
            )
    else:
        count, others = len(settings.token), sorted({*re.sub(r"[A-Za-z0-9_-]", "", settings.token)})
        wrong = [f"has {count} signs"] if count < _SHORTEST_TOKEN else []
        if others:
            wrong.append(f"holds {', '.join(map(repr, others))}")
        if wrong:
            raise SettingsError(
                f"{named} {' and '.join(wrong)}; expected {_SHORTEST_TOKEN} or more signs, all of "
                "them letters of English, digits, - or _"
            )
    if settings.iterations is not None and settings.iterations < 1:
        raise SettingsError(f"--iterations is {settings.iterations}; expected 1 or more")


def _listen(host: str, port: int) -> socket.socket:
    if not 0 <= port <= 65535:
        raise SettingsError(f"--port is {port}; expected a number from 0 to 65535")
    try:
        (family, kind, _, _, place), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        listening = socket.socket(family, kind)
    except OSError as error:
        raise SettingsError(f"--host {host} is no address: {error.strerror}") from None
    try:
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # Windows lets others listen beside one
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(place)
        listening.listen(_CONNECTIONS)
    except OSError as error:
        listening.close()
        raise SettingsError(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another --port, or none"
        ) from None
    return listening


def _serve(settings: App, listening: socket.socket, folder: Path, console: Console) -> None:
    import uvicorn

    from tipim_jax.app.engine import ProtectorEngine
    from tipim_jax.app.jobs import Studio
    from tipim_jax.app.server import application

    chosen = {"surrogates": settings.surrogate} if settings.surrogate else {}
    studio = Studio(ProtectorEngine(**chosen, iterations=settings.iterations), folder)
    token = settings.token or secrets.token_urlsafe(24)
    port = listening.getsockname()[1]
    lock = application(studio, token=token, host=settings.host, port=port)
    told, own = addresses(settings.host)
    server = uvicorn.Server(configuration(lock, studio.limits))
    console.print(f"The page: http://{told}:{port}/{token}/")
    console.print("Whoever has this address can use it. Ctrl-C ends it and deletes its photos.")
    if "SSH_CONNECTION" in os.environ:
        console.print(
            f"From where you sit: ssh -L {port}:127.0.0.1:{port}, then that address there."
        )
    if settings.open and has_screen():
        address = f"http://{own}:{port}{lock.once}"
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGTERM", "SIGHUP"):  # the latter where the terminal is closed
            if hasattr(signal, name):
                signal.signal(
                    getattr(signal, name), lambda *_: setattr(server, "should_exit", True)
                )
    studio.start()
    try:
        server.run(sockets=[listening])
    except KeyboardInterrupt:  # it has ended in good order, and says so
        pass
    finally:
        studio.close()


def addresses(host: str) -> tuple[str, str]:
    """What leads to an address that is listened on: elsewhere, and on this machine."""
    if host in ("0.0.0.0", "::"):  # all of them, which is no address to go to
        return socket.gethostname(), "127.0.0.1" if host == "0.0.0.0" else "[::1]"
    host = f"[{host}]" if ":" in host else host
    return host, host


def configuration(application, limits: Limits):
    """How the page is served: one process, no logs of what is asked for, few connections."""
    import uvicorn

    from tipim_jax.app.connection import Connection

    return uvicorn.Config(
        application,
        http=partial(Connection, seconds=limits.head_seconds),
        ws="none",
        lifespan="off",
        log_level="error",
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        limit_concurrency=_CONNECTIONS,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=2,
    )


def has_screen() -> bool:
    """Whether a browser has somewhere to open; without, Python would start one in the terminal."""
    if sys.platform in ("win32", "darwin"):
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))


def forget_killed_runs() -> None:
    """Deletes the photos of runs that could not do so themselves; those who live touch theirs."""
    from tipim_jax.app.work import delete

    for folder in Path(tempfile.gettempdir()).glob(f"{_FOLDER}*"):
        try:
            is_old = time.time() - folder.stat().st_mtime > _STALE_SECONDS
        except OSError:
            continue
        if is_old and folder.is_dir() and not folder.is_symlink():
            delete(folder)


if __name__ == "__main__":
    source.begin()
    sys.exit(main(sys.argv[1:]))
