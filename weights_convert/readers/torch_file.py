"""The two formats of PyTorch's files, from `torch/serialization.py`.

Since 1.6: a zip archive, stored uncompressed, of `data.pkl` and one file `data/KEY` for each
storage. Before: five pickles (a magic number, the protocol 1001, the writer's system, the object,
the storages' keys), then each storage as an 8-byte count of elements and its raw elements.
"""

import functools
import io
import zipfile
from collections.abc import Callable
from typing import Any

from weights_convert.readers.fault import Fault
from weights_convert.readers.torch_pickle import unpickle

_MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001

Elements = Callable[[str], bytes]  # a storage's raw elements by its key


def open_file(data: bytes) -> tuple[Any, Elements]:
    """The object in a file of either format, and its storages.

    Raises:
      Fault: the file is damaged or hostile.
    """
    return _open_zip(data) if data[:4] == b"PK\x03\x04" else _open_legacy(data)


def _open_zip(data: bytes) -> tuple[Any, Elements]:
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except Exception as error:  # an archive can be wrong in many ways, as a pickle can
        raise _broken(error) from None
    entries = archive.infolist()
    # PyTorch stores its members as they are: nothing can expand, or be there twice.
    compressed = any(entry.compress_type != zipfile.ZIP_STORED for entry in entries)
    if compressed or sum(entry.file_size for entry in entries) > len(data):
        raise Fault("an archive that is larger inside than outside")
    pickled = [e.filename for e in entries if e.filename.split("/")[1:] == ["data.pkl"]]
    if len(pickled) != 1:
        raise Fault(f"an archive with {len(pickled)} members data.pkl, not one")
    root = pickled[0].removesuffix("data.pkl")
    members = {e.filename.removeprefix(root): e for e in entries}

    @functools.cache  # tensors may share a storage
    def member(name: str) -> bytes:
        try:
            return archive.read(members[name])
        except Exception as error:
            raise _broken(error) from None

    if "byteorder" in members and member("byteorder") != b"little":
        raise Fault("big-endian numbers")
    loaded, storages = unpickle(io.BytesIO(member("data.pkl")))
    absent = [key for key in storages if f"data/{key}" not in members]
    if absent:
        raise Fault(f"no member data/{absent[0]}, which a tensor refers to")
    return loaded, lambda key: member(f"data/{key}")


def _broken(error: Exception) -> Fault:
    return Fault(f"a broken archive ({type(error).__name__}: {error})")


def _open_legacy(data: bytes) -> tuple[Any, Elements]:
    stream = io.BytesIO(data)
    if unpickle(stream)[0] != _MAGIC_NUMBER or unpickle(stream)[0] != _PROTOCOL:
        raise Fault("another magic number or protocol than PyTorch's")
    system = unpickle(stream)[0]
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise Fault("numbers that are not little-endian")
    loaded, wanted = unpickle(stream)
    keys = unpickle(stream)[0]
    named = isinstance(keys, list) and all(isinstance(key, str) for key in keys)
    if not named or sorted(keys) != sorted(wanted):
        raise Fault("a list of storages that differs from those that the tensors refer to")
    storages = {}
    for key in keys:
        count = int.from_bytes(stream.read(8), "little")
        if count != wanted[key].whole:
            raise Fault(f"{count} elements in storage {key}, where {wanted[key].whole} are due")
        start = stream.tell()
        storages[key] = memoryview(data)[start : start + count * wanted[key].item_size]
        stream.seek(len(storages[key]), io.SEEK_CUR)
    if left := len(data) - stream.tell():
        raise Fault(f"{left} bytes after the last storage")
    return loaded, storages.__getitem__
