"""Speed of the networks beside PyTorch, same weights, same process, same cores.

    python -m benchmarks.networks [--json PATH] [--cores N] [--seconds S] [NAME ...]

One line per case: milliseconds per image here and in PyTorch, in its default memory format and in
`channels_last`, how many times faster than each this is, and the speed reached in terms of the
multiplications and additions of convolutions and matrix products.

Cases: `forward`; `gradient`, one forward pass and the gradient of one projection of the embeddings
with respect to the images; `10 gradients`, one forward pass and ten of them; each for 4 images one
by one (x1), here in one compiled loop, as the method runs, and for a batch of 16 (x16). The three
take turns, and the best turn of each counts: whatever else the machine does can only add.
Preprocessing is included. Needs PyTorch: `pip install '.[parity]'`.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import jax
import jax.numpy as jnp
import numpy as np

from tipim_jax import networks
from weights_convert import load

try:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from tests.parity import torch_networks
except ImportError as error:
    sys.exit(f"PyTorch, to compare with, is not installed ({error}): pip install '.[parity]'")

COTANGENTS = 10
IMAGES = 4  # at least, in a turn


@dataclass(frozen=True)
class Result:
    """One case: times and 1e6 operations are per image."""

    network: str
    case: str
    batch: int
    jax_ms: float
    torch_ms: float
    torch_channels_last_ms: float
    mflop: float
    gflop_per_s: float

    def line(self) -> str:
        rivals = (self.torch_ms, self.torch_channels_last_ms)
        theirs = ", ".join(f"{ms:7.2f} ({ms / self.jax_ms:4.2f}x)" for ms in rivals)
        return (
            f"{self.network:<10} {self.case:<12} x{self.batch:<2} {self.jax_ms:6.2f} ms/image; "
            f"PyTorch, channels_last: {theirs}; {self.mflop:6.0f} MFLOP/image, "
            f"{self.gflop_per_s:5.1f} GFLOP/s"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="networks; all by default")
    parser.add_argument("--json", metavar="PATH", help="also write the figures to this file")
    parser.add_argument("--cores", type=int, default=1, help="cores to use (default: 1)")
    parser.add_argument("--seconds", type=float, default=4.0, help="to spend on each case")
    options = parser.parse_args()
    # JAX sizes its thread pool by the cores that it may use when it first computes something.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.cores])
    torch.set_num_threads(options.cores)
    results = []
    for name in options.names or networks.names():
        for batch in (1, 16):
            for result in _measure(name, batch, options.seconds):
                print(result.line(), flush=True)
                results.append(result)
    if options.json:
        with open(options.json, "w") as file:
            json.dump([asdict(result) for result in results], file, indent=1)


def _measure(name: str, batch: int, seconds: float) -> Iterator[Result]:
    rng = np.random.default_rng(0)
    count = max(IMAGES, batch)
    images = rng.uniform(0, 255, (count // batch, batch, 112, 112, 3)).astype(np.float32)
    size = networks.get(name).embedding_size
    cotangents = rng.normal(size=(COTANGENTS, batch, size)).astype(np.float32)
    ours = _jax_cases(name, images, cotangents)
    theirs = _torch_cases(name, images, cotangents)
    for case, run in ours.items():
        rivals = theirs[case]
        with FlopCounterMode(display=False) as counter:
            rivals[0]()
        mine, *others = (best / count * 1e3 for best in _race([run, *rivals], seconds))
        mflop = counter.get_total_flops() / count / 1e6
        yield Result(name, case, batch, mine, *others, mflop, mflop / mine)


def _jax_cases(name, images, cotangents) -> dict[str, Callable[[], object]]:
    network, variables = networks.get(name), jax.device_put(load(name))

    @jax.jit
    def forward(variables, batches):
        return jax.lax.map(lambda images: network.embed(variables, images), batches)

    @jax.jit
    def gradients(variables, batches, cotangents):
        def one_batch(images):
            _, pullback = jax.vjp(lambda x: network.embed(variables, x), images)
            return jax.vmap(pullback)(cotangents)

        return jax.lax.map(one_batch, batches)

    x, c = jnp.asarray(images), jnp.asarray(cotangents)
    one = c[:1]
    return {
        "forward": lambda: forward(variables, x).block_until_ready(),
        "gradient": lambda: gradients(variables, x, one)[0].block_until_ready(),
        f"{COTANGENTS} gradients": lambda: gradients(variables, x, c)[0].block_until_ready(),
    }


def _torch_cases(name, images, cotangents) -> dict[str, list[Callable[[], object]]]:
    """For each case, one callable for each memory format."""
    cases: dict[str, list[Callable[[], object]]] = {}
    for layout in (torch.contiguous_format, torch.channels_last):
        module = torch_networks.load(name).to(memory_format=layout)
        batches = [
            torch.from_numpy(x.transpose(0, 3, 1, 2).copy()).contiguous(memory_format=layout)
            for x in images
        ]
        c = torch.from_numpy(cotangents)

        def embed(x, module=module):
            return module(torch_networks.preprocess(name, x))

        def forward(batches=batches, embed=embed):
            with torch.inference_mode():
                return [embed(x) for x in batches]

        def gradients(count, batches=batches, c=c, embed=embed):
            for x in batches:
                pixels = x.detach().requires_grad_()
                embeddings = embed(pixels)
                for cotangent in c[:count]:
                    torch.autograd.grad(embeddings, pixels, cotangent, retain_graph=True)

        cases.setdefault("forward", []).append(forward)
        cases.setdefault("gradient", []).append(lambda run=gradients: run(1))
        cases.setdefault(f"{COTANGENTS} gradients", []).append(
            lambda run=gradients: run(COTANGENTS)
        )
    return cases


def _race(runs: list[Callable[[], object]], seconds: float) -> list[float]:
    """Best time of each, in seconds, when they take turns for about `seconds` in all."""
    best = [float("inf")] * len(runs)
    for run in runs:
        run()  # compiles, warms caches
    end = time.perf_counter() + seconds
    turns = 0
    while turns < 3 or time.perf_counter() < end:
        for index, run in enumerate(runs):
            start = time.perf_counter()
            run()
            best[index] = min(best[index], time.perf_counter() - start)
        turns += 1
    return best


if __name__ == "__main__":
    main()
