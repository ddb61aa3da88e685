"""What the page asks for, as addresses; `lock` decides who may ask.

The browser names nothing but what it was told: pages and photos by ids, which are looked up and are
no part of any path, and pictures by one of a few words.
"""

import asyncio
import json
import re
import time
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from tipim_jax.app import pictures
from tipim_jax.app.document import document
from tipim_jax.app.jobs import Studio, TooMuch
from tipim_jax.app.lock import Lock
from tipim_jax.app.names import safe_name
from tipim_jax.app.pages import BUSY, Page, Photo, identity

_FILES = {
    "small": ("small.jpg",),
    "before": ("before.jpg", "before.png"),
    "mask": ("mask.jpg",),
    "after": ("after.jpg",),
}
_TYPES = {".png": "image/png"}  # all others are JPEG


def application(studio: Studio, *, token: str, host: str, port: int) -> Lock:
    """The ASGI application.

    Args:
      studio: does the work; it is started.
      token: without which nothing is answered.
      host, port: that will be listened on.
    """
    server = _Server(studio)
    photo = "/pages/{page}/photos/{photo}"
    routes = [
        Route("/", server.page),
        Route("/pages", server.open, methods=["POST"]),
        Route("/pages/{page}", server.told),
        Route("/pages/{page}/leave", server.leave, methods=["POST"]),
        Route("/pages/{page}/photos", server.send, methods=["POST"]),
        Route("/pages/{page}/protect", server.protect, methods=["POST"]),
        Route("/pages/{page}/trial", server.attempt, methods=["POST"]),
        Route("/pages/{page}/trial/{what}", server.trial_picture),
        Route("/pages/{page}/zip", server.zip),
        Route(photo, server.drop, methods=["DELETE"]),
        Route(f"{photo}/save", server.save),
        Route(f"{photo}/{{what}}", server.picture),
    ]
    errors = {HTTPException: _said, TooMuch: _too_much}
    app = Starlette(routes=routes, exception_handlers=errors)
    app.router.redirect_slashes = False
    return Lock(app, token=token, host=host, port=port, policy=server.policy)


class _Server:
    """The answers."""

    def __init__(self, studio: Studio):
        self._studio, self._limits = studio, studio.limits
        self._uploads = 0
        self._document = document(studio.engine.strengths, studio.limits)

    @property
    def policy(self) -> str:
        """What a browser is to let the page do."""
        return self._document.policy

    async def page(self, request: Request) -> Response:
        return Response(self._document.content, media_type="text/html")

    async def open(self, request: Request) -> Response:
        asked = await self._json(request)
        previous, begun = asked.get("previous", ""), asked.get("begun", [])
        if not isinstance(begun, list) or not all(isinstance(o, str) for o in (previous, *begun)):
            raise HTTPException(400, "expected the pages that the browser had")
        page = self._studio.open(previous, begun)
        return JSONResponse(self._studio.told(page))

    async def told(self, request: Request) -> Response:
        return JSONResponse(self._studio.told(self._page_of(request)))

    async def leave(self, request: Request) -> Response:
        self._studio.leave(self._page_of(request))
        return Response(status_code=204)

    async def send(self, request: Request) -> Response:
        page = self._page_of(request)
        most = self._limits.upload
        length = request.headers.get("content-length", "0")
        if not re.fullmatch(r"[0-9]{1,18}", length):
            raise HTTPException(400, "its length makes no sense")
        if int(length) > most:
            raise HTTPException(413, f"larger than {most // 10**6} MB")
        if self._uploads >= self._limits.uploads:
            raise HTTPException(429, "too many photos at once; send it again")
        name = safe_name(request.query_params.get("name", "")[:2000])
        self._uploads += 1
        photo = None
        try:
            photo = self._studio.admit(page, name, _seconds(request.query_params.get("modified")))
            await self._receive(request, photo)
            self._studio.sent(page, photo)
        except BaseException:
            if photo:
                self._studio.drop(page, photo)
            raise
        finally:
            self._uploads -= 1
        return JSONResponse({"photo": photo.id}, status_code=201)

    async def _receive(self, request: Request, photo: Photo) -> None:
        end = time.monotonic() + self._limits.upload_seconds
        chunks = request.stream()
        try:
            with open(photo.folder / "original", "xb") as stream:
                while True:
                    patience = min(self._limits.silent_seconds, end - time.monotonic())
                    chunk = await asyncio.wait_for(anext(chunks, None), max(0, patience))
                    if chunk is None:
                        break
                    photo.size += len(chunk)
                    if photo.size > self._limits.upload:
                        raise HTTPException(413, f"larger than {self._limits.upload // 10**6} MB")
                    stream.write(chunk)
        except TimeoutError:
            raise HTTPException(408, "it took too long to arrive") from None
        except ClientDisconnect:
            raise HTTPException(400, "it did not arrive whole") from None
        except OSError as error:
            raise HTTPException(507, f"it cannot be stored: {error.strerror}") from None

    async def protect(self, request: Request) -> Response:
        page, asked = self._page_of(request), await self._json(request)
        strength, photos = self._strength(asked), asked.get("photos")
        fits = isinstance(photos, dict) and all(
            isinstance(alone, list) and all(isinstance(index, int) for index in alone)
            for alone in photos.values()
        )
        if not fits:
            raise HTTPException(400, "expected photos, each with the faces to leave alone")
        count = self._studio.protect(page, strength, {n: frozenset(a) for n, a in photos.items()})
        return JSONResponse({"photos": count})

    async def attempt(self, request: Request) -> Response:
        page, asked = self._page_of(request), await self._json(request)
        strength, face = self._strength(asked), asked.get("face")
        photo = page.photos.get(str(asked.get("photo")))
        if photo is None or not isinstance(face, int) or not 0 <= face < len(photo.faces):
            raise HTTPException(404, "there is no such face")
        return JSONResponse(self._studio.attempt(page, photo, face, strength).told())

    async def drop(self, request: Request) -> Response:
        page = self._page_of(request)
        photo = self._photo_of(page, request)
        if photo.state == "sent":
            raise HTTPException(409, "it is still arriving")
        self._studio.drop(page, photo)
        return Response(status_code=204)

    def picture(self, request: Request) -> Response:
        photo = self._photo_of(self._page_of(request), request)
        what = request.path_params["what"]
        if what == "after" and photo.saved:
            return _picture(photo.folder, (photo.saved,))
        return _picture(photo.folder, _FILES.get(what, ()))

    def trial_picture(self, request: Request) -> Response:
        page = self._page_of(request)
        if page.trial is None:
            raise HTTPException(404, "nothing was tried")
        return _picture(page.trial.folder, _FILES.get(request.path_params["what"], ()))

    def save(self, request: Request) -> Response:
        photo = self._photo_of(self._page_of(request), request)
        if not photo.saved or photo.state in BUSY:
            raise HTTPException(404, "it is not protected yet")
        (name,) = pictures.file_names([photo])
        answer = _picture(photo.folder, (photo.saved,))
        answer.headers["content-disposition"] = _attached(name.name)
        photo.touched = time.monotonic()
        return answer

    def zip(self, request: Request) -> Response:
        page = self._page_of(request)
        photos = [one for one in list(page.photos.values()) if one.saved and one.state == "done"]
        if not photos:
            raise HTTPException(404, "nothing is protected yet")
        place = page.folder / f"{identity()}.zip"
        try:
            pictures.write_zip(photos, place)
        except OSError as error:
            place.unlink(missing_ok=True)
            raise HTTPException(507, f"it cannot be stored: {error.strerror}") from None
        for photo in photos:
            photo.touched = time.monotonic()
        return FileResponse(
            place,
            media_type="application/zip",
            headers={"content-disposition": _attached("protected photos.zip")},
            background=BackgroundTask(place.unlink, missing_ok=True),
        )

    def _page_of(self, request: Request) -> Page:
        page = self._studio.pages.get(request.path_params["page"])
        if page is None:
            raise HTTPException(404, "this page was left; its photos are deleted")
        return page

    def _photo_of(self, page: Page, request: Request) -> Photo:
        photo = page.photos.get(request.path_params["photo"])
        if photo is None:
            raise HTTPException(404, "this photo is deleted")
        return photo

    def _strength(self, asked: dict) -> str:
        name = asked.get("strength")
        if name not in [one.name for one in self._studio.engine.strengths]:
            raise HTTPException(400, "there is no such strength")
        return name

    async def _json(self, request: Request) -> dict:
        """The request's body, an object; the next chunk of it has to come in time."""
        content, chunks = b"", request.stream()
        try:
            async with asyncio.timeout(self._limits.silent_seconds):
                async for chunk in chunks:
                    content += chunk
                    if len(content) > self._limits.request:
                        raise HTTPException(413, "this is more than a page asks")
            found = json.loads(content or b"{}")
        except TimeoutError:
            raise HTTPException(408, "it took too long to arrive") from None
        except (ValueError, RecursionError, ClientDisconnect):
            raise HTTPException(400, "expected a JSON object") from None
        if not isinstance(found, dict):
            raise HTTPException(400, "expected a JSON object")
        return found


def _picture(folder, names) -> Response:
    for name in names:
        try:
            content = (folder / name).read_bytes()
        except OSError:
            continue
        kind = _TYPES.get((folder / name).suffix, "image/jpeg")
        return Response(content, media_type=kind)
    raise HTTPException(404, "there is no such picture")


def _attached(name: str) -> str:
    """RFC 6266; what old programs read has no letters beyond ASCII, and no quotes."""
    plain = re.sub(r'[^ -~]|["\\]', "_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _seconds(milliseconds: str | None) -> float | None:
    """Since 1970, of what a browser says; None where it makes no sense."""
    return int(milliseconds) / 1000 if re.fullmatch(r"[0-9]{1,15}", milliseconds or "") else None


async def _said(request: Request, error: HTTPException) -> Response:
    return _refused(error.status_code, error.detail)


async def _too_much(request: Request, error: TooMuch) -> Response:
    return _refused(429, str(error))


def _refused(status: int, why: str) -> Response:
    # What is still being sent is not waited for.
    return JSONResponse({"error": why}, status_code=status, headers={"connection": "close"})
