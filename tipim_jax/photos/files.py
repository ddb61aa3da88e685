"""Photos on disk: finding them, and naming their protected copies."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tipim_jax.photos.reading import FORMATS, PhotoError


@dataclass(frozen=True)
class PhotoFile:
    """A photo to protect.

    Attributes:
      source: absolute path.
      relative: where it lies below the folder it was found in, or its name alone.
    """

    source: Path
    relative: Path


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
        keep = keep_format and photo.relative.suffix.lower() in FORMATS
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


def _photos_below(folder: Path, visited: set[Path]) -> Iterator[Path]:
    visited.add(folder.resolve())
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            if entry.resolve() not in visited:
                yield from _photos_below(entry, visited)
        elif entry.suffix.lower() in FORMATS and entry.is_file():
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
