"""Photos on disk: finding, reading, naming and writing them.

A photo in memory is upright, RGB, uint8 in [0, 255]. What is written holds the picture, its
transparency and its colour profile, without which the colours would change, and nothing else.
"""

import contextlib
import io
import os
import secrets
import threading
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import UInt8
from PIL import ExifTags, Image, ImageCms

_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
SUFFIXES = tuple(_FORMATS)

# EXIF orientation: what makes the picture upright (EXIF 2.32, tag 0x0112).
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_warning_filters = threading.Lock()


class PhotoError(Exception):
    """A photo that cannot be found, read or written; the message names the file and the reason."""


@dataclass(frozen=True)
class PhotoFile:
    """A photo to protect.

    Attributes:
      source: absolute path.
      relative: where it lies below the folder it was found in, or its name alone.
    """

    source: Path
    relative: Path


@dataclass(frozen=True, eq=False)
class Photo:
    """A photo in memory.

    Attributes:
      pixels: upright, as the EXIF orientation says.
      alpha: the opacity of each pixel, 255 is opaque; None for a photo without transparency.
      icc_profile: colour profile of `pixels`, empty where they are sRGB.
      exif: EXIF without orientation, previews and the maker's private notes; may be empty.
    """

    pixels: UInt8[np.ndarray, "height width 3"]
    alpha: UInt8[np.ndarray, "height width"] | None = None
    icc_profile: bytes = b""
    exif: bytes = b""


def find_photos(paths: Sequence[Path], *, skip: Path | None = None) -> list[PhotoFile]:
    """The photos that files and folders name, in their order, each one once.

    A file is taken whatever its name. In a folder and the folders below it, links followed, files
    called .jpg, .jpeg, .png or .webp are taken in the order of their names; hidden files and
    folders are not. Photos from several places that would have the same `relative` keep the names
    of the folders above them, as many as it takes.

    Args:
      paths: files and folders.
      skip: a folder that is passed over when it lies below one of them: the output of an earlier
        run is not to be protected again.

    Raises:
      PhotoError: paths that do not exist, are neither file nor folder, or folders that cannot be
        opened; it names all of them.
    """
    found: dict[Path, PhotoFile] = {}
    faults = []
    passed_over = {skip.resolve()} if skip else set()
    for path in paths:
        top = path.resolve() if ".." in path.parts else path.absolute()
        try:
            if top.is_dir():
                # A folder that is asked for by name is searched, wherever the output goes.
                visited = passed_over - {top.resolve()}
                files = [(file, file.relative_to(top)) for file in _photos_below(top, visited)]
            elif top.is_file():
                files = [(top, Path(top.name))]
            else:
                reason = "is neither a file nor a folder" if top.exists() else "does not exist"
                raise PhotoError(f"{path} {reason}")
        except PhotoError as fault:
            faults.append(str(fault))
            continue
        except OSError as fault:
            faults.append(f"cannot open {fault.filename}: {fault.strerror}")
            continue
        for source, relative in files:
            found.setdefault(source.resolve(), PhotoFile(source, relative))
    if faults:
        raise PhotoError("; ".join(faults))
    return _told_apart(list(found.values()))


def output_paths(photos: Sequence[PhotoFile], folder: Path, *, keep_format: bool) -> list[Path]:
    """Where each photo's protected copy goes, so that no two share a file.

    The copy is `folder / relative`, with the suffix .png instead of the photo's. Where two photos
    of a folder differ in their suffix alone, the one that is called .png keeps its name and the
    other's whole name is kept: a.png and a.jpg.png. Names that some file systems cannot tell apart
    (a.JPG, A.jpg) count as the same and are numbered.

    Args:
      photos: from `find_photos`; the names do not depend on their order.
      folder: for the output.
      keep_format: keep the suffix, and with it the format, where it is one that can be written.

    Raises:
      PhotoError: a copy would overwrite one of the photos.
    """

    def suffix_of(photo):
        keep = keep_format and photo.relative.suffix.lower() in _FORMATS
        return photo.relative.suffix if keep else ".png"

    sources = {photo.source.resolve() for photo in photos}
    taken: set[str] = set()
    chosen: dict[Path, Path] = {}
    for photo in sorted(
        photos, key=lambda one: (one.relative.suffix != suffix_of(one), str(one.source))
    ):
        relative, suffix = photo.relative, suffix_of(photo)
        name = relative.name
        candidates = [relative.stem + suffix, name + suffix]
        candidates += [f"{name} ({number}){suffix}" for number in range(2, len(photos) + 2)]
        target = next(
            path
            for path in (relative.with_name(candidate) for candidate in candidates)
            if _key(path) not in taken
        )
        taken.add(_key(target))
        chosen[photo.source] = folder / target
        if (folder / target).resolve() in sources:
            raise PhotoError(
                f"the protected copy of {photo.source} would overwrite {folder / target}, which is "
                "to be protected itself; choose another output folder"
            )
    return [chosen[photo.source] for photo in photos]


def read_photo(path: Path) -> Photo:
    """Reads a PNG, JPEG or WebP photo, by its content, whatever its name.

    Every kind of picture becomes 8-bit RGB: 16-bit channels are reduced, palettes looked up, grey
    repeated, CMYK converted by its colour profile where it has one. Of a picture made of several
    (MPO, as some cameras write) the first is taken.

    Raises:
      PhotoError: the file is missing, damaged, of another format, an animation, or so large that it
        can be a decompression bomb (about 179 million pixels); no other error leaves this function.
    """
    try:
        with open(path, "rb") as stream:
            return _decode(stream)
    except Exception as fault:  # decoders of hostile files raise errors of any kind
        raise PhotoError(f"cannot read {path}: {_reason(fault)}") from fault


def decode_photo(content: bytes, name: str) -> Photo:
    """As `read_photo`, of a file in memory; its errors call it `name`."""
    try:
        return _decode(io.BytesIO(content))
    except Exception as fault:
        raise PhotoError(f"cannot read {name}: {_reason(fault)}") from fault


def write_photo(path: Path, photo: Photo, *, keep_metadata: bool = False) -> None:
    """Writes what `encode_photo` gives: all of it or nothing.

    The folder is made where it is missing. A file that is already there is replaced at the end,
    when the new one is complete.

    Raises:
      PhotoError: as `encode_photo`, or the disk failed.
    """
    content = encode_photo(photo, path, keep_metadata=keep_metadata)
    try:
        with write_whole(path) as stream:
            stream.write(content)
    except OSError as fault:
        raise PhotoError(f"cannot write {path}: {_reason(fault)}") from fault


def encode_photo(photo: Photo, path: Path, *, keep_metadata: bool = False) -> bytes:
    """A photo in the format that a path's suffix names.

    PNG and WebP are lossless, JPEG has quality 95 without subsampling of colour (4:4:4).

    Args:
      photo: to encode.
      path: ends in .png, .jpg, .jpeg or .webp; nothing is written there.
      keep_metadata: keep the EXIF data too, the place where the photo was taken included.

    Raises:
      PhotoError: the suffix is another, or the format cannot hold the photo.
    """
    image_format = _FORMATS.get(path.suffix.lower())
    if image_format is None:
        raise PhotoError(
            f"cannot write {path}: its suffix is {path.suffix or 'missing'!r}, "
            f"expected one of {', '.join(SUFFIXES)}"
        )
    if image_format == "JPEG" and photo.alpha is not None:
        raise PhotoError(f"cannot write {path}: JPEG has no transparency; write PNG or WebP")
    image = Image.fromarray(photo.pixels)
    if photo.alpha is not None:
        image.putalpha(Image.fromarray(photo.alpha))
    stream = io.BytesIO()
    try:
        # Each encoder takes what is its own of these. `exact` keeps colours that are fully
        # transparent.
        image.save(
            stream,
            format=image_format,
            quality=95 if image_format == "JPEG" else 50,  # for WebP the effort, not a loss
            subsampling=0,
            lossless=True,
            exact=True,
            icc_profile=photo.icc_profile,
            exif=photo.exif if keep_metadata else b"",
        )
    except Exception as fault:
        raise PhotoError(f"cannot write {path}: {_reason(fault)}") from fault
    return stream.getvalue()


@contextlib.contextmanager
def write_whole(path: Path) -> Iterator[BinaryIO]:
    """A stream to write a file with: at the end it is there whole, or, after an error, not at all.

    The folder is made where it is missing; a file that is already there is replaced at the end.
    """
    partial = path.with_name(f".{secrets.token_hex(8)}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open(partial, "xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(partial, path)
    except BaseException:  # KeyboardInterrupt too leaves no partial file
        with contextlib.suppress(OSError):
            partial.unlink()
        raise


def _photos_below(folder: Path, visited: set[Path]) -> Iterator[Path]:
    visited.add(folder.resolve())
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            if entry.resolve() not in visited:
                yield from _photos_below(entry, visited)
        elif entry.suffix.lower() in _FORMATS and entry.is_file():
            yield entry


def _told_apart(photos: list[PhotoFile]) -> list[PhotoFile]:
    """Photos that share `relative` get one more folder of their source in it, until none do."""
    depth = {photo.source: len(photo.relative.parts) for photo in photos}
    while True:
        photos = [
            PhotoFile(photo.source, Path(*photo.source.parts[-depth[photo.source] :]))
            for photo in photos
        ]
        sharing: dict[str, list[PhotoFile]] = {}
        for photo in photos:
            sharing.setdefault(_key(photo.relative), []).append(photo)
        deeper = [
            photo
            for group in sharing.values()
            # Names in one folder that differ in case alone are left for `output_paths` to number.
            if len({_key(photo.source.parent) for photo in group}) > 1
            for photo in group
            if depth[photo.source] < len(photo.source.parts) - 1
        ]
        if not deeper:
            return photos
        for photo in deeper:
            depth[photo.source] += 1


def _key(path: Path) -> str:
    """Equal for paths that some file system takes for one."""
    return str(path).casefold()


def _decode(stream) -> Photo:
    with _no_warnings():
        image = Image.open(stream, formats=("PNG", "JPEG", "WEBP"))
        if getattr(image, "is_animated", False) and image.format != "MPO":
            raise ValueError(
                f"an animation of {image.n_frames} pictures; only stills are protected"
            )
    image.load()
    profile = image.info.get("icc_profile") or b""
    with _no_warnings():
        image, exif = _upright(image)
    image = _eight_bit(image)
    alpha = None
    if image.has_transparency_data:
        # A palette's transparency can lie in its colours; RGBA takes it from wherever it is.
        alpha = np.array(image.convert("RGBA").getchannel("A"))
    rgb, profile = _to_rgb(image, profile)
    return Photo(np.array(rgb), alpha, profile, exif)


@contextlib.contextmanager
def _no_warnings():
    """Warnings of the picture library about odd headers are of no use to who reads a thousand."""
    with _warning_filters, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _upright(image: Image.Image) -> tuple[Image.Image, bytes]:
    """The picture turned as its EXIF data says, and what may be kept of that data."""
    kept = b""
    # Damaged EXIF data is no reason to leave a sound photo unprotected.
    with contextlib.suppress(Exception):
        exif = image.getexif()
        turn = _TURNS.get(exif.pop(ExifTags.Base.Orientation, 1))
        image = image if turn is None else image.transpose(turn)
        # The maker's notes can hold a small copy of the photo as it was before it was protected,
        # and so does the second directory, which `tobytes` leaves out.
        exif.get_ifd(ExifTags.IFD.Exif).pop(ExifTags.Base.MakerNote, None)
        kept = exif.tobytes() if len(exif) else b""
    return image, kept


def _eight_bit(image: Image.Image) -> Image.Image:
    """16-bit grey as 8-bit grey; the library's own conversion would clip it."""
    if not image.mode.startswith("I"):
        return image
    levels = np.asarray(image).astype(np.uint32)
    return Image.fromarray(((levels * 255 + 32767) // 65535).astype(np.uint8))


def _to_rgb(image: Image.Image, profile: bytes) -> tuple[Image.Image, bytes]:
    """8-bit RGB and its colour profile."""
    space = profile[16:20]  # ICC.1:2022, 7.2: the colour space of the data
    if image.mode == "CMYK" and space == b"CMYK":
        with contextlib.suppress(ImageCms.PyCMSError, OSError):
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            srgb = ImageCms.createProfile("sRGB")
            return ImageCms.profileToProfile(image, source, srgb, outputMode="RGB"), b""
    if image.mode not in ("RGB", "RGBA", "P", "PA") or space != b"RGB ":
        profile = b""
    if image.mode == "P":  # by way of RGBA, or transparency in the palette brings a warning
        image = image.convert("RGBA")
    return image.convert("RGB"), profile


def _reason(fault: BaseException) -> str:
    if isinstance(fault, Image.UnidentifiedImageError):
        return "not a PNG, JPEG or WebP picture, or damaged at its start"
    if isinstance(fault, Image.DecompressionBombError):
        return f"more than {2 * Image.MAX_IMAGE_PIXELS // 10**6} million pixels"
    if isinstance(fault, OSError) and fault.strerror:
        return fault.strerror
    return str(fault) or type(fault).__name__
