"""How long photos are kept: which of them nobody will ask for any more.

Moments are seconds of `time.monotonic`.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from tipim_jax.app.limits import Limits
from tipim_jax.app.pages import BUSY, Page, Photo


def old_photos(pages: Iterable[Page], limits: Limits, now: float) -> list[tuple[Page, Photo]]:
    """Photos that nobody has worked on for long, and that nothing is being made of."""
    return [
        (page, photo)
        for page in pages
        for photo in page.photos.values()
        if photo.state not in BUSY and now - photo.touched > limits.kept_seconds
    ]


def left_pages(pages: Iterable[Page], limits: Limits, now: float) -> list[Page]:
    """Pages to which nobody comes back: that were left, or whose browser asks no more."""

    def is_left(page: Page) -> bool:
        patience = limits.kept_seconds if page.worked else limits.left_seconds
        left = page.left is not None and now - page.left > patience
        return left or now - page.seen > limits.kept_seconds

    return [page for page in pages if not page.busy and is_left(page)]


def nobodys_folders(top: Path, pages: Mapping[str, Page]) -> list[Path]:
    """Folders of pages and photos that are gone, as of one that was deleted while it was made."""
    found = []
    for folder in top.glob("*/"):
        page = pages.get(folder.name)
        if page is None:
            found.append(folder)
        elif not page.busy:
            known = {photo.folder for photo in page.photos.values()}
            known |= {page.trial.folder} if page.trial else set()
            found += set(folder.glob("*/")) - known
    return found
