"""Speed of the method beside the official loop in PyTorch: same weights, process and cores.

    python -m benchmarks.attack [--network NAME] [--batch N] [--iterations N] [--json PATH]

Prints seconds per image and iteration (10 targets, no random views, l2 step) of the official loop,
one image at a time, and of ours with batches of 1 and N; compile time without and with the
compilation cache; and the peak memory of the process before PyTorch has run. `taskset -c 0,1`
before it limits the cores. Needs PyTorch: `make parity` installs it.
"""

import argparse
import dataclasses
import json
import resource
import tempfile
import time

import jax
import jax.numpy as jnp
import numpy as np

import weights_convert
from tipim_jax import networks, people
from tipim_jax.attack.scan import aligned_faces
from tipim_jax.method import Surrogate, TipIm, advance, start
from tipim_jax.photos import YUNET, FaceDetector, read_photo


@dataclasses.dataclass(frozen=True)
class Figures:
    """Times in seconds, memory in GB (10⁹ bytes)."""

    network: str
    batch: int
    torch_official: float
    ours_batch_1: float
    ours: float
    ratio: float
    compile_cold: float
    compile_cached: float
    peak_memory: float

    def lines(self) -> str:
        unit = "s per image and iteration"
        return (
            f"{self.network}: official loop in PyTorch    {self.torch_official:8.4f} {unit}\n"
            f"{self.network}: ours, batch 1               {self.ours_batch_1:8.4f} {unit}\n"
            f"{self.network}: ours, batch {self.batch:<3}             {self.ours:8.4f} {unit}, "
            f"{self.ratio:.2f}x\n"
            f"{self.network}: compilation                 {self.compile_cold:8.1f} s, "
            f"from the cache {self.compile_cached:.1f} s\n"
            f"{self.network}: peak memory                 {self.peak_memory:8.2f} GB"
        )


def measure(name: str, batch: int, iterations: int) -> Figures:
    """One network; `iterations` are timed after one that is not."""
    crops = _crops(batch + len(people.TARGETS))
    images, targets = crops[:batch], crops[batch:]
    with tempfile.TemporaryDirectory() as cache:
        jax.config.update("jax_compilation_cache_dir", cache)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        cold, _ = _ours(name, images, targets, iterations)
        jax.clear_caches()
        cached, ours = _ours(name, images, targets, iterations)
        _, single = _ours(name, images[:1], targets, iterations)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    official = _official(name, images[:1], targets, iterations)
    return Figures(name, batch, official, single, ours, official / ours, cold, cached, memory)


def _ours(name, images, targets, iterations) -> tuple[float, float]:
    """Seconds to compile, and per image and iteration."""
    surrogates = (Surrogate(networks.get(name).embed, weights_convert.load(name)),)
    settings = dataclasses.replace(TipIm.official(), views=False)
    keys = jax.vmap(jax.random.key)(jnp.arange(len(images)))
    problem, state = start(surrogates, images, targets, keys, settings)
    began = time.perf_counter()
    run = advance.lower(surrogates, problem, state, settings, iterations).compile()
    compiled = time.perf_counter() - began
    jax.block_until_ready(run(surrogates, problem, state, settings))
    began = time.perf_counter()
    jax.block_until_ready(run(surrogates, problem, state, settings))
    return compiled, (time.perf_counter() - began) / iterations / len(images)


def _official(name, images, targets, iterations) -> float:
    import torch

    from tests.parity.torch_networks import load, preprocess
    from tests.parity.torch_tip_im import official_loop

    module = load(name)
    image, wanted = (
        torch.from_numpy(array.transpose(0, 3, 1, 2).copy()) for array in (images, targets)
    )

    def run(count):
        official_loop(
            lambda crops: module(preprocess(name, crops)),
            image,
            wanted,
            iterations=count,
            planned=100,
            epsilon=12.0,
            gamma=0.0,
            norm="l2",
        )

    run(1)
    began = time.perf_counter()
    run(iterations)
    return (time.perf_counter() - began) / iterations


def _crops(count):
    detector = FaceDetector(weights_convert.obtain(YUNET))
    photos = [people.photos(identity)[0] for identity in people.identities()[-count:]]
    return np.stack([aligned_faces(read_photo(photo).pixels, detector)[0].crop for photo in photos])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--network", choices=networks.names(), default="mobileface")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--iterations", type=int, default=5)
    parser.add_argument("--json", metavar="PATH", help="also write the figures to this file")
    options = parser.parse_args()
    figures = measure(options.network, options.batch, options.iterations)
    print(figures.lines())
    if options.json:
        with open(options.json, "w") as file:
            json.dump(dataclasses.asdict(figures), file, indent=1)


if __name__ == "__main__":
    main()
