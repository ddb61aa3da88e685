"""Fetches single files from addresses, and goes on where an earlier attempt broke off."""

import contextlib
import hashlib
import http.client
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from tipim_jax.console import Console
from tipim_jax.disk import replace
from tipim_jax.networks.origin import Download
from weights_convert.cache import kept
from weights_convert.errors import ConversionError

_TIMEOUT = 30  # seconds without a byte
_CHUNK = 1 << 16
_MOST = 2 << 30  # bytes; the largest network's weights have a tenth
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")


def name(origin: Download) -> str:
    """What is fetched, for people."""
    return origin.url


def place(origin: Download) -> Path:
    """Where the file is kept, whether or not it is there."""
    key = origin.sha256 or hashlib.sha256(origin.url.encode()).hexdigest()
    return kept(key, _file_name(origin))


def fetch(origin: Download, folder: Path) -> Path:
    """Brings the file into the folder when all of it is here.

    Until then it is `NAME.part` beside its place in the cache, and `NAME.part.version` states which
    version of the file the server sends: the next attempt goes on if the server has the same still.

    Raises:
      ConversionError: the server cannot be reached, has no such file, breaks off or sends something
        that cannot be weights.
    """
    if urlsplit(origin.url).scheme not in ("http", "https"):
        raise ConversionError(f"{origin.url}: expected an address that begins with http")
    end = place(origin)
    part, version = end.with_name(f"{end.name}.part"), end.with_name(f"{end.name}.part.version")
    try:
        with _open(origin.url, part, version) as response:
            _receive(response, part, version, origin)
    except urllib.error.HTTPError as error:
        error.close()
        raise ConversionError(
            f"{origin.url}: the server answers {error.code} {error.reason}; {_way_out(origin)}"
        ) from None
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        reason = getattr(error, "reason", None) or error
        raise ConversionError(
            f"{origin.url}: {reason or type(error).__name__}. Is there a network? Run this again, "
            f"it goes on where it stopped; {_way_out(origin)}"
        ) from None
    replace(part, folder / "member")
    version.unlink(missing_ok=True)
    return folder / "member"


def _way_out(origin: Download) -> str:
    return f"if you have {_file_name(origin)} from elsewhere, {origin.way_out}"


def _open(url: str, part: Path, version: Path) -> http.client.HTTPResponse:
    """Asks for what is missing, or for all if nothing is here or the server cannot go on."""
    headers = {"User-Agent": "tipim-jax"}
    here = part.stat().st_size if part.is_file() and version.is_file() else 0
    if here:
        same = version.read_text(encoding="latin-1")
        rest = {"Range": f"bytes={here}-", "If-Range": same}
        with contextlib.ExitStack() as opened:
            try:
                response = opened.enter_context(_ask(url, headers | rest))
            except urllib.error.HTTPError as error:
                opened.enter_context(error)
                if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                    raise
            else:
                whole = response.status == http.HTTPStatus.OK
                # A server that knows no If-Range would send the rest of another version.
                fits = _extent(response)[0] == here and _validator(response) in (None, same)
                if whole or fits:
                    opened.pop_all()
                    return response
    return _ask(url, headers)


def _ask(url: str, headers: dict[str, str]) -> http.client.HTTPResponse:
    return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=_TIMEOUT)


def _receive(
    response: http.client.HTTPResponse, part: Path, version: Path, origin: Download
) -> None:
    """Writes what comes, from where it belongs, until the file is whole."""
    url = origin.url
    first, total = _extent(response)
    if response.headers.get_content_type() == "text/html":  # a login to the network, say
        raise ConversionError(f"{url}: the server sends a web page; open it to see what it says")
    if not 0 < total <= _MOST:
        raise ConversionError(
            f"{url}: the server states a size of {total} bytes, expected 1 to {_MOST}"
        )
    if not first:
        part.unlink(missing_ok=True)
        version.unlink(missing_ok=True)
        if validator := _validator(response):
            version.write_text(validator, encoding="latin-1")
    broken_off = contextlib.suppress(http.client.IncompleteRead)
    with open(part, "ab") as file, _progress(origin, first, total) as advance, broken_off:
        while chunk := response.read(_CHUNK):
            file.write(chunk)
            advance(len(chunk))
    if (size := part.stat().st_size) != total:
        raise ConversionError(
            f"{url}: the server broke off after {size} of {total} bytes; run this again, it goes "
            "on where it stopped"
        )


def _extent(response: http.client.HTTPResponse) -> tuple[int, int]:
    """Where what the server sends begins and the size of the whole file, in bytes; else 0."""
    if response.status == http.HTTPStatus.PARTIAL_CONTENT:
        found = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
        return (int(found[1]), int(found[2])) if found else (0, 0)
    size = response.headers.get("Content-Length", "")
    return 0, int(size) if size.isdecimal() else 0


def _validator(response: http.client.HTTPResponse) -> str | None:
    """What tells one version of the file from another (RFC 9110, 13.1.5); None: nothing does."""
    etag = response.headers.get("ETag", "")
    return etag if etag.startswith('"') else response.headers.get("Last-Modified")


@contextlib.contextmanager
def _progress(origin: Download, first: int, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on stderr, or one line where nothing can move; it gives what takes bytes received."""
    console = Console(stderr=True)
    if not console.is_terminal:
        left = (total - first) / 1e6
        console.print(f"downloading {origin.url}, {left:.1f} MB …")
    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with bar:
        task = bar.add_task(_file_name(origin), total=total, completed=first)
        yield lambda count: bar.advance(task, count)


def _file_name(origin: Download) -> str:
    return origin.file_name or PurePosixPath(unquote(urlsplit(origin.url).path)).name or "file"
