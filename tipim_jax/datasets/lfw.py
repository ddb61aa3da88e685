"""Photos laid out like Labeled Faces in the Wild, and lists of pairs of them.

The photo with number 7 of the person A_Name is `A_Name/A_Name_0007.jpg`, in a folder or an archive
(.tgz, .tar, .zip), at its top or one folder below. Its name is about the face nearest its centre
(Huang et al., "Labeled Faces in the Wild", 2007). Nothing of an archive is written to disk.
"""

import bz2
import gzip
import lzma
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from tipim_jax.configuration import SettingsError
from tipim_jax.photos import SUFFIXES

_SUFFIX = "|".join(map(re.escape, SUFFIXES))
_FILE = re.compile(
    rf"(?:[^/]+/)?(?P<person>[^/]+)/(?P=person)_(?P<number>\d{{4,9}})(?:{_SUFFIX})",
    re.ASCII | re.IGNORECASE,
)
_DECOMPRESSED = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
_LARGEST = 2**26  # bytes of a photo; what claims more is no photo
_DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    RuntimeError,  # encrypted, and NotImplementedError for compressions of other programs
)


class LfwError(SettingsError):
    """A list of pairs or a collection of photos that cannot be used; the message says why."""


class LfwPhoto(NamedTuple):
    """Names one photo; in text it is the photo's file without suffix."""

    person: str
    number: int

    def __str__(self) -> str:
        return f"{self.person}_{self.number:04d}"


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of photos.

    Attributes:
      photos: both photos of each pair.
      same: whether they are of the same person.
      folds: the number of each pair's fold; None where the list has none.
    """

    photos: tuple[tuple[LfwPhoto, LfwPhoto], ...]
    same: Bool[np.ndarray, " pairs"]
    folds: Int[np.ndarray, " pairs"] | None


@dataclass(frozen=True, eq=False)
class Lfw:
    """An open collection of photos.

    Attributes:
      place: the folder or archive.
      entries: what each photo is found by, in the order in which they are read fastest.
    """

    place: Path
    entries: dict[LfwPhoto, Any]
    _read: Callable[[Any], bytes]

    def read(self, photo: LfwPhoto) -> bytes:
        """A photo's file.

        Raises:
          LfwError: the collection is damaged there.
        """
        with _named(self.place, str(photo)):
            return self._read(self.entries[photo])


def read_pairs(file: Path) -> Pairs:
    """Reads a list of pairs as LFW has them.

    A line is `name number number` or `name number name number`, separated by tabs, or by blanks
    where there is no tab. Before them there may be a line with the number of folds and, where there
    are several, with that of the pairs of either kind in a fold: `10 300`.

    Raises:
      LfwError: it cannot be read, holds anything else, or has not as many pairs as it says.
    """
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except OSError as fault:
        raise LfwError(f"cannot read {file}: {fault.strerror}") from None
    except UnicodeDecodeError:
        raise LfwError(f"{file} is no text: expected LFW's pairs, such as its pairs.txt") from None
    rows = [(number, _fields(line)) for number, line in enumerate(lines, start=1) if line.strip()]
    header = []
    if rows and len(rows[0][1]) <= 2 and all(map(_is_number, rows[0][1])):
        header = [int(field) for field in rows.pop(0)[1]]
    if not rows:
        raise LfwError(f"{file} holds no pairs: expected lines such as `A_Name 1 2`")
    pairs = tuple(_pair(file, number, fields) for number, fields in rows)
    folds = None
    if header:
        count, of_a_kind = header if len(header) == 2 else (1, header[0])
        if len(pairs) != count * 2 * of_a_kind:
            raise LfwError(
                f"{file} holds {len(pairs)} pairs; its first line says {count} x 2 x {of_a_kind}. "
                "Get the whole list, or remove that line"
            )
        if count > 1:
            folds = np.arange(len(pairs)) // (2 * of_a_kind)
    same = np.array([first.person == second.person for first, second in pairs])
    return Pairs(pairs, same, folds)


@contextmanager
def open_lfw(place: Path) -> Iterator[Lfw]:
    """Opens a folder or an archive of photos.

    Raises:
      LfwError: there is none, it is damaged, has no such photos, or has two of one name.
    """
    with ExitStack() as stack:
        with _named(place):
            if place.is_dir():
                files = (path for depth in ("*/*", "*/*/*") for path in sorted(place.glob(depth)))
                named = ((path.relative_to(place).as_posix(), path) for path in files)
                lfw = _indexed(place, named, _read_file)
            else:
                stream = stack.enter_context(open(place, "rb"))
                start = stream.read(5)
                stream.seek(0)
                opened = _open_zip if start.startswith(b"PK") else _open_tar
                lfw = opened(place, stream, start, stack)
        yield lfw


def _fields(line: str) -> list[str]:
    return [field.strip() for field in line.split("\t" if "\t" in line.strip() else None)]


def _is_number(field: str) -> bool:
    return re.fullmatch(r"0*[1-9]\d{0,8}", field, re.ASCII) is not None


def _pair(file: Path, line: int, fields: list[str]) -> tuple[LfwPhoto, LfwPhoto]:
    if len(fields) == 3:
        fields = [fields[0], fields[1], fields[0], fields[2]]
    if len(fields) != 4 or not (fields[0] and fields[2] and all(map(_is_number, fields[1::2]))):
        raise LfwError(
            f"{file}, line {line}: found {' '.join(fields)[:80]!r}, expected `A_Name 1 2` or "
            "`A_Name 1 Another_Name 2`"
        )
    first, second = LfwPhoto(fields[0], int(fields[1])), LfwPhoto(fields[2], int(fields[3]))
    if first == second:
        raise LfwError(f"{file}, line {line}: pairs {first} with itself")
    return first, second


def _indexed(place: Path, named: Iterable[tuple[str, Any]], read: Callable[[Any], bytes]) -> Lfw:
    entries, names = {}, {}
    for name, entry in named:
        match = _FILE.fullmatch(name.removeprefix("./"))
        if match is None:
            continue
        photo = LfwPhoto(match["person"], int(match["number"]))
        if photo in entries:
            raise LfwError(f"{place} holds {photo} twice: {names[photo]} and {name}; keep one")
        entries[photo], names[photo] = entry, name
    if not entries:
        raise LfwError(f"{place} holds no photo that is named as in LFW: A_Name/A_Name_0001.jpg")
    return Lfw(place, entries, read)


def _read_file(path: Path) -> bytes:
    with open(path, "rb") as file:
        return _bounded(file)


def _open_zip(place: Path, stream, start: bytes, stack: ExitStack) -> Lfw:
    archive = stack.enter_context(zipfile.ZipFile(stream))

    def read(entry):
        with archive.open(entry) as file:
            return _bounded(file)

    return _indexed(place, ((entry.filename, entry) for entry in archive.infolist()), read)


def _open_tar(place: Path, stream, start: bytes, stack: ExitStack) -> Lfw:
    for magic, opened in _DECOMPRESSED.items():
        if start.startswith(magic):
            stream = stack.enter_context(opened(stream, "rb"))
    try:
        archive = tarfile.TarFile(fileobj=_Bounded(stream), mode="r")
    except tarfile.ReadError as fault:
        raise LfwError(f"{place} is neither a folder nor a .tgz, .tar or .zip ({fault})") from None
    members = archive.getmembers()
    # For tarfile a damaged entry is the end; the end of a whole archive is a block of zeros.
    stream.seek(archive.offset)
    if stream.read(tarfile.BLOCKSIZE) != tarfile.NUL * tarfile.BLOCKSIZE:
        raise tarfile.ReadError("it breaks off")

    def read(member):
        return _bounded(archive.extractfile(member))

    return _indexed(place, ((member.name, member) for member in members if member.isreg()), read)


class _Bounded:
    """A stream for tarfile, which would read names of gigabytes into memory if told to."""

    def __init__(self, stream):
        self._stream = stream
        self.seek, self.tell = stream.seek, stream.tell

    def read(self, size: int) -> bytes:
        if size > _LARGEST:
            raise tarfile.ReadError(f"it has a name of {size} bytes")
        return self._stream.read(size)


def _bounded(stream) -> bytes:
    content = stream.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise OSError(f"more than {_LARGEST // 2**20} MiB, expected a photo")
    return content


@contextmanager
def _named(place: Path, photo: str = "") -> Iterator[None]:
    """Errors of files and archives with the names of what they are about."""
    try:
        yield
    except _DAMAGE as fault:
        what = f"{photo} in {place}" if photo else str(place)
        reason = (isinstance(fault, OSError) and fault.strerror) or fault
        raise LfwError(f"cannot read {what}: {reason}") from None
