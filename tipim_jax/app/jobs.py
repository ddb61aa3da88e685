"""The work behind the pages: one thread finds faces, one protects, and what is left is deleted.

Photos wait in the order in which they were asked for, whoever's page they are on; a trial of one
face goes first. A few faces are protected together, as many as the engine does best.
"""

import contextlib
import os
import shutil
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from tipim_jax.app.engine import Engine
from tipim_jax.app.kept import left_pages, nobodys_folders, old_photos
from tipim_jax.app.limits import Limits
from tipim_jax.app.pages import BUSY, PROTECTING, Page, Photo, Trial, identity
from tipim_jax.app.work import Work, delete, words

_SWEEP_SECONDS = 1.0
_LOADING = "getting the recognisers ready; the first time they are downloaded"


class TooMuch(Exception):
    """A limit is reached; the message says which."""


class Studio:
    """All pages, and the threads that work for them; its methods may be called from any thread.

    Attributes:
      limits: on what pages may have.
      loading: what all pages wait for, in words; empty once the engine is ready.
      trouble: why it is not ready; empty where nothing is wrong, or is no longer.
    """

    def __init__(self, engine: Engine, folder: Path, limits: Limits = Limits()):  # noqa: B008
        """Starts nothing yet.

        Args:
          engine: does the work.
          folder: for photos; everything in it is deleted sooner or later.
        """
        self.engine, self.limits, self._folder = engine, limits, folder
        self.loading = self.trouble = ""
        self.pages: dict[str, Page] = {}
        self._to_look: deque[tuple[Page, Photo]] = deque()
        self._to_protect: deque[tuple[Page, Photo]] = deque()
        self._trials: deque[tuple[Page, Trial]] = deque()
        self._lock = threading.RLock()
        self._news = threading.Condition(self._lock)
        self._work = Work(engine, limits, self._lock)
        self._closed = False
        self._threads = [
            threading.Thread(target=work, name=f"tipim-app-{work.__name__}", daemon=True)
            for work in (self._find, self._protect, self._sweep)
        ]

    def start(self) -> None:
        """Begins to work."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Ends, after what is being computed now, and deletes all photos."""
        with self._news:
            self._closed = True
            self._news.notify_all()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout=2)  # they are daemons: the process ends without them
        self.pages.clear()
        delete(self._folder)

    def open(self, previous: str = "", begun: Sequence[str] = ()) -> Page:
        """The page that a browser had, or one that it left with work to be done, or a new one.

        Nobody gets a page that they cannot name.

        Args:
          previous: id of the page that this very tab had; may be empty.
          begun: ids of pages that the same browser had, whichever tab.

        Raises:
          TooMuch: too many are open.
        """
        with self._lock:
            page = self.pages.get(previous)
            if page is None:
                known = [self.pages[one] for one in begun if one in self.pages]
                waiting = [one for one in known if one.left and one.worked]
                page = max(waiting, key=lambda one: one.left, default=None)
            if page is None:
                if len(self.pages) >= self.limits.pages:
                    raise TooMuch("too many pages are open; close some, and wait half a minute")
                name = identity()
                page = Page(self._folder / name, name)
                page.folder.mkdir(mode=0o700)
                self.pages[page.id] = page
            page.left, page.worked, page.seen = None, False, time.monotonic()
            self._news.notify_all()
            return page

    def told(self, page: Page) -> dict:
        """What a browser is told of its page, which is not left then."""
        with self._lock:
            page.left, page.seen = None, time.monotonic()
            return page.told(self.loading) | {"trouble": self.trouble}

    def leave(self, page: Page) -> None:
        """The browser left it: its photos go, unless it comes back soon, or they are being made."""
        with self._lock:
            states = {photo.state for photo in page.photos.values()}
            page.left, page.worked = time.monotonic(), not states.isdisjoint(PROTECTING)
            self._news.notify_all()

    def admit(self, page: Page, name: PurePosixPath, modified: float | None) -> Photo:
        """Makes room for a photo that is about to be sent; `sent` or `drop` is to follow.

        Raises:
          TooMuch: there is no room.
        """
        with self._lock:
            if len(page.photos) >= self.limits.photos:
                raise TooMuch(f"a page holds {self.limits.photos:,} photos; save some, remove them")
            if sum(p.size for one in self.pages.values() for p in one.photos.values()) >= (
                self.limits.stored
            ):
                raise TooMuch("the photos take all the room there is for them; remove some")
            if shutil.disk_usage(self._folder).free < self.limits.free:
                raise TooMuch(f"the disk with {self._folder} is full; TMPDIR names another folder")
            photo_id = identity()
            photo = Photo(page.folder / photo_id, name, modified, photo_id)
            photo.folder.mkdir(mode=0o700)
            page.photos[photo.id] = photo
            return photo

    def sent(self, page: Page, photo: Photo) -> None:
        """The photo is in its folder, whole."""
        with self._news:
            photo.touched = time.monotonic()
            self._to_look.append((page, photo))
            self._news.notify_all()

    def drop(self, page: Page, photo: Photo) -> None:
        """Removes a photo; what is being made of it comes to nothing."""
        with self._lock:
            page.photos.pop(photo.id, None)
            delete(photo.folder)
            if page.trial and page.trial.photo == photo.id:  # it shows the face, too
                delete(page.trial.folder)
                page.trial = None

    def protect(self, page: Page, strength: str, alone: Mapping[str, frozenset[int]]) -> int:
        """Puts photos in the queue.

        Args:
          alone: faces that are left alone, by index, for each photo that is to be protected.

        Returns:
          how many there are; those without a face to protect are left out.
        """
        with self._news:
            count = 0
            for name, faces in alone.items():
                photo = page.photos.get(name)
                if photo is None or photo.state in BUSY or not photo.faces:
                    continue
                photo.alone = faces & frozenset(range(len(photo.faces)))
                if not photo.chosen:
                    photo.state, photo.saved, photo.opinions = "ready", "", ()
                    continue
                photo.state, photo.progress, photo.why = "waiting", 0.0, ""
                photo.strength = strength
                self._to_protect.append((page, photo))
                count += 1
            self._news.notify_all()
            return count

    def attempt(self, page: Page, photo: Photo, face: int, strength: str) -> Trial:
        """Protects one face before all others, to be looked at."""
        with self._news:
            if page.trial:
                delete(page.trial.folder)
            trial_id = identity()
            trial = Trial(page.folder / trial_id, trial_id, photo.id, face, strength)
            page.trial = trial
            self._trials.append((page, trial))
            self._news.notify_all()
            return trial

    # What the threads do.

    def _find(self) -> None:
        while (item := self._next(self._to_look)) is not None:
            _, photo = item
            with self._lock:
                photo.state = "looking"
            self._work.find(photo)

    def _protect(self) -> None:
        with self._news:
            self._news.wait_for(lambda: self._closed or self.pages)
        if not self._closed:
            self._load()
        while (item := self._next(self._trials, self._to_protect)) is not None:
            if self.trouble:
                self._load()  # what was missing may be there by now
            page, what = item
            if self.trouble:
                self._give_up(what)
                continue
            if isinstance(what, Trial):
                self._try(page, what)
                continue
            items = [item, *self._alike(what)]
            photos = [photo for page, photo in items if page.photos.get(photo.id) is photo]
            with self._lock:
                for photo in photos:
                    photo.state = "working"
            self._work.protect(photos)

    def _try(self, page: Page, trial: Trial) -> None:
        photo = page.photos.get(trial.photo)
        if page.trial is not trial:
            return
        if photo is None:
            trial.state, trial.why = "failed", "this photo is deleted"
            return
        with self._lock:
            trial.state = "working"
        self._work.attempt(trial, photo)
        if page.trial is not trial:  # another was asked for meanwhile
            delete(trial.folder)

    def _load(self) -> None:
        self.loading, trouble = _LOADING, ""
        try:
            self.engine.load()
        except Exception as error:
            trouble = words(error)
        self.loading, self.trouble = "", trouble

    def _give_up(self, what: Photo | Trial) -> None:
        """Fails one, and all that wait: nothing can be protected now."""
        with self._lock:
            for one in (what, *(other for _, other in (*self._trials, *self._to_protect))):
                one.state, one.why = "failed", self.trouble
            self._trials.clear()
            self._to_protect.clear()

    def _alike(self, photo: Photo) -> list[tuple[Page, Photo]]:
        """The next photos in the queue that can be protected together with one."""
        together = self.engine.together
        with self._lock:
            faces, pixels, found = len(photo.chosen), photo.width * photo.height, []
            while self._to_protect:
                _, other = self._to_protect[0]
                faces += len(other.chosen)
                pixels += other.width * other.height
                too_much = faces > together or pixels > self.limits.pixels
                if too_much or other.strength != photo.strength:
                    break
                found.append(self._to_protect.popleft())
            return found

    def _next(self, *queues: deque):
        """The first item of the first queue that has one, when there is one; None at the end."""
        with self._news:
            self._news.wait_for(lambda: self._closed or any(queues))
            return None if self._closed else next(queue for queue in queues if queue).popleft()

    def _sweep(self) -> None:
        """Deletes what nobody will ask for any more."""
        while not self._closed:
            with self._news:
                self._news.wait(_SWEEP_SECONDS)
                self.sweep(time.monotonic())
            with contextlib.suppress(OSError):
                os.utime(self._folder)  # it is in use

    def sweep(self, now: float) -> None:
        """Deletes photos that are old, pages that were left, and folders that are nobody's."""
        with self._lock:
            for page, photo in old_photos(self.pages.values(), self.limits, now):
                self.drop(page, photo)
            for page in left_pages(self.pages.values(), self.limits, now):
                del self.pages[page.id]
            for folder in nobodys_folders(self._folder, self.pages):
                delete(folder)
