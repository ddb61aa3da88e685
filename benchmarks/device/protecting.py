"""The product on the device: the default preset with all its surrogates, alone and file to file."""

import contextlib
import shutil
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from pathlib import Path

import jax

import weights_convert
from benchmarks import machine
from benchmarks.device import trace
from benchmarks.device.program import floors, largest_program, where_time_goes
from benchmarks.subject import random_variables
from tipim_jax import networks, traced
from tipim_jax.datasets import bundled
from tipim_jax.engine import Journal, Protector, protect_files
from tipim_jax.engine.defaults import SURROGATES
from tipim_jax.engine.found import FoundPhoto
from tipim_jax.engine.protector import as_surrogate
from tipim_jax.identification import Recogniser
from tipim_jax.method import ITERATIONS_A_CALL, TipIm
from tipim_jax.photos import PhotoFile


class _Stopped(Exception):
    """Enough of the method was seen."""


def protector(names: Sequence[str] = SURROGATES, method: TipIm | None = None) -> Protector:
    """As the command makes it; weights that are not in the cache are random, as there may be no way
    to fetch them.
    """

    def recogniser(name):
        network = networks.get(name)
        if weights_convert.is_cached(network):
            return Recogniser.load(name)
        return Recogniser(network, jax.device_put(random_variables(name)))

    return Protector(method, surrogates=[recogniser(name) for name in names])


def alone(protector: Protector, faces: int) -> dict[str, object]:
    """A row of the method alone: faces that were found before go in, masks come out.

    The first iterations are those after which the command's bar first moves.

    Args:
      faces: how many there are; the batch is as the protector chooses it.
    """
    found = _found(protector, faces)
    count = sum(len(photo.faces) for photo in found)
    with machine.empty_cache():
        cold, _ = _first_iterations(protector, found)
        figures, text = largest_program()
        hot, batch = _first_iterations(protector, found)
        seconds = machine.seconds_of(lambda: list(protector.masked(found)))
        recording = _recorded(protector, found)
        traced.forget()
        warm, _ = _first_iterations(protector, found)
    return {
        "faces": count,
        "batch": batch,
        "preset": "strong",
        "dtype": protector.dtype,
        "random_weights": _random(protector),
        "iterations": protector.method.iterations,
        **figures,
        "seconds": seconds,
        "speed": count / seconds,
        "first_iterations": cold,
        "first_iterations_cached": warm,
        "compile": cold - hot,
        "compile_cached": warm - hot,
        "peak_memory": machine.peak_memory(jax.local_devices()),
        **floors(
            [as_surrogate(one, protector.dtype) for one in protector.surrogates.values()],
            protector.method,
            protector.dtype,
            jax.local_devices(),
            count,
            len(protector.targets.crops),
            seconds / protector.method.iterations,
        ),
        **where_time_goes(recording, text, ITERATIONS_A_CALL),
    }


def files(protector: Protector, faces: int) -> dict[str, object]:
    """A row of the whole way from files to files: finding, masks, writing.

    Of what `alone` compiled nothing is compiled again.
    """
    with tempfile.TemporaryDirectory() as folder:
        clean, output = Path(folder) / "photos", Path(folder) / "protected"
        clean.mkdir()
        output.mkdir()
        photos = _copies(clean, faces)
        outputs = {photo.source: output / photo.relative for photo in photos}
        began = time.perf_counter()
        outcome = protect_files(
            protector,
            photos,
            outputs,
            Journal(output, protector.decides),
            add_bar=lambda *_: lambda _: None,
        )
        seconds = time.perf_counter() - began
        written = sum(target.is_file() for target in outputs.values())
    return {
        "files": len(photos),
        "written": written,
        "faces": outcome.faces,
        "dtype": protector.dtype,
        "random_weights": _random(protector),
        "cores": machine.cores(),
        "seconds": seconds,
        "speed": outcome.faces / seconds,
        "waiting": outcome.waiting,
        "missed": sorted(set(outcome.missed.values()))[:3],
    }


def _sources(count: int) -> list[Path]:
    """Photos of bundled people whom nobody imitates, each as often as it takes."""
    distinct = [
        photo
        for identity in bundled.identities()
        if identity not in bundled.TARGETS
        for photo in bundled.photos(identity)
    ]
    return list(islice(cycle(distinct), count))


def _copies(folder: Path, count: int) -> list[PhotoFile]:
    """Photos as files of their own."""
    found = []
    for number, source in enumerate(_sources(count)):
        photo = folder / f"{number:05d}{source.suffix}"
        shutil.copyfile(source, photo)
        found.append(PhotoFile(photo, Path(photo.name)))
    return found


def _found(protector: Protector, count: int) -> list[FoundPhoto]:
    """Photos whose faces were found, each looked at once."""
    sources = _sources(count)
    distinct = list(dict.fromkeys(sources))
    with ThreadPoolExecutor(machine.cores()) as pool:
        found = dict(zip(distinct, pool.map(protector.find, distinct), strict=True))
    return [found[source] for source in sources]


def _first_iterations(protector: Protector, found: Sequence[FoundPhoto]) -> tuple[float, int]:
    """Seconds until the method first says that it went on, and the faces that it takes at once."""
    batch = 0

    def progress(photos):
        nonlocal batch
        batch = round(photos * protector.method.iterations / ITERATIONS_A_CALL)
        raise _Stopped

    began = time.perf_counter()
    with contextlib.suppress(_Stopped):
        list(protector.masked(found, progress=progress))
    return time.perf_counter() - began, batch


def _recorded(protector, found):
    """What runs on the device between the method's first report and its second."""
    recording = trace.Recording()

    def progress(_):
        if recording.under_way:
            raise _Stopped
        recording.begin()

    with recording, contextlib.suppress(_Stopped):
        list(protector.masked(found, progress=progress))
    return recording


def _random(protector):
    """Names of the networks whose weights are."""
    return [
        name
        for name, one in protector.surrogates.items()
        if not weights_convert.is_cached(one.network)
    ]
