"""Photos on disk: finding them, and naming their protected copies."""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tipim_jax.photos.formats import SUFFIXES, SUFFIXES_OF, format_of
from tipim_jax.photos.reading import PhotoError, transparent
from tipim_jax.photos.writing import WRITTEN

# same: JPEG for what was JPEG or HEIF, PNG for all else; png: PNG for all
Format = Literal["same", "png"]

# The folder in an output that holds the record of what is done, by which outputs are known.
RECORD = ".tipim_jax"

_KINDS = {
    "a video": "3gp 3g2 avi flv hevc m2ts m4v mkv mov mp4 mpeg mpg mts ogv vob webm wmv",
    "a picture of a kind that cannot be read, a camera's raw file for example; export it as JPEG": (
        "arw cr2 cr3 crw dng erf heics iiq jxl jxr kdc mrw nef nrw orf pef psb psd raf raw rw2 rwl "
        "sr2 srf srw svg tga x3f xcf"
    ),
}
_KIND_OF = {f".{suffix}": kind for kind, suffixes in _KINDS.items() for suffix in suffixes.split()}


@dataclass(frozen=True)
class PhotoFile:
    """A photo to protect.

    Attributes:
      source: absolute path.
      relative: where it lies below the folder it was found in, or its name alone.
    """

    source: Path
    relative: Path


@dataclass(frozen=True)
class FoundFiles:
    """What files and folders hold.

    Attributes:
      photos: pictures, by their content or by their name.
      others: what else there is, and what each is, in words.
    """

    photos: list[PhotoFile]
    others: list[tuple[PhotoFile, str]]


def find_photos(paths: Sequence[Path]) -> list[PhotoFile]:
    """The photos of `find_files`."""
    return find_files(paths).photos


def find_files(paths: Sequence[Path], *, skip: Path | None = None) -> FoundFiles:
    """The photos that files and folders name, in their order, each one once, and what is none.

    In a folder and the folders below it files are taken in the order of their names. A link to a
    photo is a photo; one to a folder is followed where that is not searched anyway. A photo is what
    begins as a picture does, whatever its name, or what is called as one, though it may be damaged.
    Hidden files in folders are no photos; those that are no pictures are passed over without a
    word. Photos from several places that would have the same `relative` keep the names of the
    folders above them, as many as it takes.

    Args:
      paths: files and folders.
      skip: a folder that is passed over in silence when it lies below one of them: this run's
        output. Outputs of other runs are not protected again either, but named.

    Raises:
      PhotoError: paths that do not exist, are neither file nor folder, or folders that cannot be
        opened; it names all of them.
    """
    found: dict[Path, PhotoFile] = {}
    others: dict[Path, tuple[PhotoFile, str]] = {}
    faults = []
    passed_over = {skip.resolve()} if skip else set()
    for path in paths:
        top = path.resolve() if ".." in path.parts else path.absolute()
        try:
            if top.is_dir():
                # A folder that is asked for by name is searched, wherever the output goes.
                real = top.resolve()
                below = _below(top, real, passed_over - {real}, set())
                files = [(file, file.relative_to(top), kind) for file, kind in below]
            elif top.is_file():
                files = [(top, Path(top.name), _no_photo(top))]
            else:
                reason = "is neither a file nor a folder" if top.exists() else "does not exist"
                raise PhotoError(f"{path} {reason}")
        except PhotoError as fault:
            faults.append(str(fault))
            continue
        except OSError as fault:
            faults.append(f"cannot open {fault.filename}: {fault.strerror}")
            continue
        for source, relative, kind in files:
            file = PhotoFile(source, relative)
            if kind is None:
                found.setdefault(source, file)
            else:
                others.setdefault(source, (file, kind))
    if faults:
        raise PhotoError("; ".join(faults))
    return FoundFiles(_told_apart(list(found.values())), list(others.values()))


def output_paths(photos: Sequence[PhotoFile], folder: Path, *, saved_as: Format) -> list[Path]:
    """Where each photo's protected copy goes, so that no two share a file.

    The copy is `folder / relative`; it keeps its suffix where that is one of the format that it is
    written in, and has .jpg or .png otherwise. Where two photos of a folder differ in their suffix
    alone, the one whose suffix is kept keeps its name and the other's whole name is kept: a.png and
    a.gif.png. Names that some file systems cannot tell apart (a.JPG, A.jpg) count as the same and
    are numbered.

    Args:
      photos: from `find_photos`; the names do not depend on their order.
      folder: for the output.
      saved_as: which format is written.

    Raises:
      PhotoError: a copy would overwrite one of the photos.
    """
    suffixes = {photo.source: _suffix(photo, saved_as) for photo in photos}
    sources = {_file(photo.source) for photo in photos} - {None}
    taken: set[str] = set()
    chosen: dict[Path, Path] = {}
    for photo in sorted(
        photos, key=lambda one: (one.relative.suffix != suffixes[one.source], str(one.source))
    ):
        relative, suffix = photo.relative, suffixes[photo.source]
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
        if _file(folder / target) in sources:
            raise PhotoError(
                f"the protected copy of {photo.source} would overwrite {folder / target}, which is "
                "to be protected itself; choose another output folder"
            )
    return [chosen[photo.source] for photo in photos]


def _suffix(photo: PhotoFile, saved_as: Format) -> str:
    """What the protected copy's name ends in, which says its format, too."""
    suffix = photo.relative.suffix
    was = format_of(photo.source)
    if was is None:  # it cannot be read, and nothing is written
        was = WRITTEN.get(suffix.lower())
    lossy = was == "JPEG" or (was == "HEIF" and not transparent(photo.source))
    written = "JPEG" if lossy and saved_as == "same" else "PNG"
    return suffix if WRITTEN.get(suffix.lower()) == written else SUFFIXES_OF[written][0]


def _below(
    folder: Path, top: Path, silent: set[Path], visited: set[Path]
) -> Iterator[tuple[Path, str | None]]:
    """Files, and what they are where they are no photos.

    Args:
      top: where the search began, without links: all below it is searched under its own name.
      silent: folders that are passed over without a word.
    """
    visited.add(_resolved(folder))
    for entry in sorted(folder.iterdir()):
        hidden = entry.name.startswith(".")
        if entry.is_dir():
            real = _resolved(entry)
            if real in silent:
                continue
            if real in visited or (entry.is_symlink() and real.is_relative_to(top)):
                yield entry, "a link to a folder that is searched where it lies"
            elif hidden:
                yield entry, "a hidden folder"
            elif (entry / RECORD).is_dir():
                yield entry, "what an earlier run protected"
            else:
                yield from _below(entry, top, silent, visited)
        elif hidden:
            if entry.is_file() and format_of(entry):
                yield entry, "a hidden picture"
        elif not entry.is_file():
            yield entry, "no file" if entry.exists() else "a link to nothing"
        else:
            yield entry, _no_photo(entry)


def _no_photo(file: Path) -> str | None:
    """What a file is that is no photo; None for a photo."""
    suffix = file.suffix.lower()
    if suffix in SUFFIXES or (format_of(file) and suffix not in _KIND_OF):
        return None
    return _KIND_OF.get(suffix, "no photo")


def _file(path: Path) -> Path | tuple[int, int] | None:
    """Which file a path leads to: where case is ignored it has several names, and one number.

    None where there is none.
    """
    try:
        status = path.stat()
        return (status.st_dev, status.st_ino) if status.st_ino else path.resolve()
    except (OSError, RuntimeError):
        return None


def _resolved(path: Path) -> Path:
    """Without links; as it is where its links go round."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):
        return path.absolute()


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
    """Equal for paths that some file system takes for one, by their case or their accents."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", str(path)).casefold())
