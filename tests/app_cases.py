"""The page's application with an engine that takes no time for what looks like masks."""

import contextlib
import io
import json
import socket
import threading
import time
from urllib.parse import urlencode

import numpy as np
import uvicorn
from asgi import ask
from PIL import Image

from tipim_jax.app.__main__ import configuration
from tipim_jax.app.engine import Masked, Opinion
from tipim_jax.app.jobs import Studio
from tipim_jax.app.limits import Limits
from tipim_jax.app.server import application
from tipim_jax.app.strengths import Strength
from tipim_jax.engine import defaults
from tipim_jax.method import TipIm
from tipim_jax.photos import TEMPLATE, Face

TOKEN = "a-token-that-is-long-enough"
HOST = "127.0.0.1:8377"


class FakeEngine:
    """Finds a face in the middle of what is no even plane, and makes it a little brighter."""

    together = 2

    def __init__(self, *, find=None, seconds=0.0, hold=None):
        """`find` in place of its own; `seconds` that a mask takes, or until `hold` is set."""
        self.strengths = tuple(
            Strength(name, words, TipIm.fast()) for name, words in defaults.STRENGTHS.items()
        )
        self.find = find or self._find
        self.protected = []
        self._seconds, self._hold = seconds, hold

    def _find(self, pixels):
        if pixels.std(axis=(0, 1)).max() < 1:
            return [], []
        height, width = pixels.shape[:2]
        side = min(height, width) / 2
        corner = np.array([(width - side) / 2, (height - side) / 2])
        box = np.array([*corner, side, side], np.float32)
        return [Face(box, (TEMPLATE / 112 * side + corner).astype(np.float32), 0.9)], []

    def load(self):
        pass

    def protect(self, photos, strength, progress):
        if self._hold:
            assert self._hold.wait(20)
        for _ in range(10):
            time.sleep(self._seconds / 10)
            progress(len(photos) / 10)
        for pixels, faces in photos:
            changed = pixels.copy()
            for face in faces:
                left, top, width, height = face.box.round().astype(int).clip(0).tolist()
                part = changed[top : top + height, left : left + width]
                stripes = np.where(np.indices(part.shape[:2]).sum(0) // 6 % 2, 8, -8)[..., None]
                part[:] = np.clip(part.astype(int) + stripes, 0, 255)
            self.protected.append((strength, len(faces)))
            yield Masked(changed, (None,) * len(faces))

    def judge(self, before, after):
        return [
            [Opinion("mobileface", False, 0.05, 0.31), Opinion("lightcnn", True, 0.17, 0.553)]
            for _ in before.faces
        ]


@contextlib.contextmanager
def a_studio(folder, engine=None, **limits):
    """One that works."""
    studio = Studio(engine or FakeEngine(), folder, Limits(**limits))
    studio.start()
    try:
        yield studio
    finally:
        studio.close()


class Browser:
    """Asks as the page does, of the application in this process."""

    def __init__(self, studio):
        self.studio = studio
        self.lock = application(studio, token=TOKEN, host="127.0.0.1", port=8377)
        self.page = None

    def ask(self, method, path, *, content=b"", headers=()):
        length = ("content-length", str(len(content)))
        sent = [("host", HOST), ("origin", f"http://{HOST}"), length, *headers]
        return ask(self.lock, method, f"/{TOKEN}/{path}", headers=sent, chunks=[content])

    def open(self, previous="", begun=()):
        told = self.post("pages", {"previous": previous, "begun": begun}).json()
        self.page = told["page"]
        return told

    def post(self, path, what):
        return self.ask("POST", path, content=json.dumps(what).encode())

    def of_page(self, method, path="", what=None):
        path = f"pages/{self.page}{path}"
        return self.ask(method, path) if what is None else self.post(path, what)

    def send(self, name, content):
        path = f"pages/{self.page}/photos?{urlencode({'name': name})}"
        return self.ask("POST", path, content=content)

    def told(self):
        return self.of_page("GET").json()

    def until(self, holds):
        """What is told once that holds of it."""
        end = time.monotonic() + 20
        while not holds(told := self.told()):
            assert time.monotonic() < end, told
            time.sleep(0.01)
        return told

    def rested(self):
        """What is told once nothing is under way; photos by name."""
        resting = ("ready", "done", "failed")
        told = self.until(lambda told: all(one["state"] in resting for one in told["photos"]))
        return {one["name"]: one for one in told["photos"]}


@contextlib.contextmanager
def a_browser(folder, **limits):
    """One that has opened its page of a studio that works."""
    with a_studio(folder, **limits) as studio:
        browser = Browser(studio)
        browser.open()
        yield browser


def protect(browser, photos, strength="balanced"):
    """Asks for photos by their ids, each with the faces that are left alone."""
    return browser.of_page("POST", "/protect", {"strength": strength, "photos": photos})


@contextlib.contextmanager
def served(studio):
    """The application on a port of this machine; gives the port."""
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    lock = application(studio, token=TOKEN, host="127.0.0.1", port=port)
    server = uvicorn.Server(configuration(lock, studio.limits))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield port
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


def picture(kind="JPEG", size=(80, 60), seed=0, **how):
    """A file of a picture with something on it."""
    pixels = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **how)
    return stream.getvalue()
