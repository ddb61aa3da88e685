"""Embeddings of faces that come again, kept in the user's cache.

What is kept is found by the recogniser's weights, its window, the faces, and the code that shows
and embeds them: nothing ever meets the embeddings of others. A file is written whole or not at all.
The folder may be deleted at any time.
"""

import functools
import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import jax
import numpy as np
from jaxtyping import Float

import tipim_jax.networks
import tipim_jax.photos
from tipim_jax.identification import faces as shown
from tipim_jax.identification import recogniser as recognising
from tipim_jax.identification.faces import Shown
from tipim_jax.identification.recogniser import Recogniser, embed_batches
from tipim_jax.photos import write_whole
from weights_convert import ConversionError, home


class Lasting(Protocol):
    """Faces that come again: a set, or strangers."""

    digest: str

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Shown]: ...


def kept_embeddings(
    recognisers: Mapping[str, Recogniser],
    faces: Lasting,
    progress: Callable[[float], None] = lambda _: None,
) -> dict[str, Float[np.ndarray, "faces dim"]]:
    """The embeddings of each recogniser as memory-maps, made first where they are not there.

    Faces are shown to all recognisers that have not seen them, one after the other, and what is
    found goes to the files as it comes: there may be more of it than memory holds.

    Args:
      progress: called with the number of faces that are done.

    Raises:
      ConversionError: the cache cannot be written.
    """
    if not len(faces):
        return {n: np.zeros((0, r.network.embedding_size), "f4") for n, r in recognisers.items()}
    places = {name: _place(recogniser, faces.digest) for name, recogniser in recognisers.items()}
    found = {name: _read(place) for name, place in places.items()}
    missing = {name: recognisers[name] for name, kept in found.items() if kept is None}
    if not missing:
        progress(len(faces))
        return found
    try:
        with ExitStack() as stack:
            streams = {n: stack.enter_context(write_whole(places[n])) for n in missing}
            for name, stream in streams.items():
                shape = (len(faces), missing[name].network.embedding_size)
                header = {"descr": "<f4", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(stream, header)
            for name, embeddings in embed_batches(missing, faces, progress):
                streams[name].write(embeddings.astype("<f4").tobytes())
    except OSError as error:
        raise ConversionError(
            f"cannot write to the cache {home()} ({error.strerror or error}); set TIPIM_JAX_HOME "
            "to a folder that you can write and that has room"
        ) from None
    return found | {name: _read(places[name]) for name in missing}


def _place(recogniser: Recogniser, faces: str) -> Path:
    key = hashlib.sha256(f"{recogniser.digest} {recogniser.looking.window} {faces}".encode())
    return home() / "embeddings" / _version() / recogniser.network.name / f"{key.hexdigest()}.npy"


def _read(place: Path) -> np.ndarray | None:
    try:
        return np.load(place, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):  # not there, or damaged
        return None


@functools.cache
def _version() -> str:
    """Hash of the code and the libraries that decide what an embedding holds."""
    digest = hashlib.sha256(f"{jax.__version__} {jax.default_backend()}".encode())
    folders = (Path(room.__file__).parent for room in (tipim_jax.networks, tipim_jax.photos))
    files = [file for folder in folders for file in sorted(folder.rglob("*.py"))]
    for file in (*files, Path(shown.__file__), Path(recognising.__file__)):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]
