"""How much the page takes on: of what is sent, of memory, of the disk and of time."""

from dataclasses import dataclass

MEGA = 10**6


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a browser, or somebody who passes for one, can have at most.

    Attributes:
      upload: bytes of one photo.
      pixels: of one photo; more are not decoded. Some three photos of this size are in memory.
      photos: that a page holds.
      stored: bytes of all photos that were sent and are not deleted yet.
      free: bytes that are left to everybody else on the disk.
      pages: that are open at once.
      uploads: that are under way at once.
      request: bytes of any other request's body.
      upload_seconds: in which a photo has to be here.
      head_seconds: in which what is asked for, and whence, has to be here, without its body.
      silent_seconds: after which an upload that sends nothing is given up.
      left_seconds: for which the photos of a page that was left stay, as it may only be reloaded.
      kept_seconds: after which a photo is deleted that nobody has worked on.
    """

    upload: int = 100 * MEGA
    pixels: int = 100 * MEGA
    photos: int = 1000
    stored: int = 4000 * MEGA
    free: int = 500 * MEGA
    pages: int = 20
    uploads: int = 6
    request: int = MEGA // 4
    upload_seconds: float = 300
    head_seconds: float = 10
    silent_seconds: float = 20
    left_seconds: float = 30
    kept_seconds: float = 3600
