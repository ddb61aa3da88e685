"""Speed of the nearest-neighbour search beside faiss-cpu's exact one: same process, same cores.

    python -m benchmarks.search [--sizes N ...] [--probes N] [--count N] [--cores N] [--json PATH]

One line per case: seconds to search a gallery of that size, how many times those of faiss's
`IndexFlatIP` they are, the peak of the memory that was taken beyond the given gallery (10⁹ bytes;
what each makes of the gallery beforehand, such as faiss's copy, is included), and the share of
neighbours, place by place, that are faiss's.

Cases: `faiss`; `array`, a gallery on the device; `stream`, a NumPy array that is sent to it a block
at a time. They take turns, and the best turn of each counts: whatever else the machine does can
only add. All use `--cores` threads (default: all cores), on the same unit embeddings of 512
numbers, random ones with probes that resemble some of them. Needs Linux and
`pip install faiss-cpu`.
"""

import argparse
import ctypes
import gc
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import jax
import numpy as np

from tipim_jax.identification import Nearest, nearest

try:
    import faiss
except ImportError as error:
    sys.exit(f"faiss, to compare with, is not installed ({error}): pip install faiss-cpu")

DIM = 512
TURNS = 3


@dataclass(frozen=True)
class Result:
    """One case: `ratio` and `same` are relative to faiss, memory is in GB."""

    case: str
    gallery: int
    probes: int
    count: int
    threads: int
    seconds: float
    ratio: float
    memory: float
    same: float

    def line(self) -> str:
        return (
            f"{self.gallery:>8} images, {self.probes} probes, {self.count} nearest, "
            f"{self.threads} threads: {self.case:<6} {self.seconds:8.3f} s, {self.ratio:5.2f}x "
            f"faiss's; {self.memory:6.3f} GB; {self.same:8.4%} of the neighbours the same"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10**4, 10**5, 10**6])
    parser.add_argument("--probes", type=int, default=500)
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--json", metavar="PATH", help="also write the figures to this file")
    options = parser.parse_args()
    # JAX sizes its thread pool by the cores that it may use when it first computes something.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.cores])
    faiss.omp_set_num_threads(options.cores)
    results = []
    for size in options.sizes:
        for result in _measure(size, options.probes, options.count, options.cores):
            print(result.line(), flush=True)
            results.append(result)
    if options.json:
        with open(options.json, "w") as file:
            json.dump([asdict(result) for result in results], file, indent=1)


def _measure(size: int, probes: int, count: int, cores: int) -> list[Result]:
    gallery, wanted = _embeddings(size, probes)
    prepared, memory, found, best = {}, {}, {}, {}
    for case, prepare in _CASES.items():
        with _PeakMemory() as memory[case]:
            prepared[case] = prepare(gallery)
            found[case] = prepared[case](wanted, count)  # compiles, warms caches
    for _ in range(TURNS):
        for case, search in prepared.items():
            began = time.perf_counter()
            search(wanted, count)
            best[case] = min(best.get(case, np.inf), time.perf_counter() - began)
    return [
        Result(
            case=case,
            gallery=size,
            probes=probes,
            count=count,
            threads=cores,
            seconds=best[case],
            ratio=best[case] / best["faiss"],
            memory=memory[case].taken / 1e9,
            same=float(np.mean(found[case].index == found["faiss"].index)),
        )
        for case in _CASES
    ]


def _embeddings(size: int, probes: int):
    """A gallery, and probes at a cosine of about 0.7 to one of its images each."""
    random = np.random.default_rng(0)
    gallery = random.standard_normal((size, DIM), dtype=np.float32)
    gallery /= np.linalg.norm(gallery, axis=1, keepdims=True)
    noise = random.standard_normal((probes, DIM), dtype=np.float32) / np.sqrt(DIM)
    near = gallery[random.integers(0, size, probes)] + noise.astype(np.float32)
    return gallery, near / np.linalg.norm(near, axis=1, keepdims=True)


def _faiss(gallery) -> Callable[[np.ndarray, int], Nearest]:
    index = faiss.IndexFlatIP(DIM)
    index.add(gallery)
    return lambda probes, count: Nearest(*index.search(probes, count))


def _array(gallery) -> Callable[[np.ndarray, int], Nearest]:
    on_device = jax.device_put(gallery, may_alias=False).block_until_ready()
    return lambda probes, count: nearest(on_device, probes, count)


def _stream(gallery) -> Callable[[np.ndarray, int], Nearest]:
    return lambda probes, count: nearest(gallery, probes, count)


_CASES = {"faiss": _faiss, "array": _array, "stream": _stream}


class _PeakMemory:
    """By how many bytes the process's own memory grew at most while this context was open."""

    def __enter__(self):
        # What earlier cases have freed would otherwise be taken again unnoticed.
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        self.taken = 0
        self._before = _own_memory()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    def _watch(self):
        while not self._over.wait(0.002):
            self.taken = max(self.taken, _own_memory() - self._before)


def _own_memory() -> int:
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("RssAnon"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main()
