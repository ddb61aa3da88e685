"""Speed of the networks beside PyTorch: same weights, same process, same cores or the same GPU.

    python -m benchmarks.networks [--json PATH] [--cores N] [--seconds S] [NAME ...]

One line per case: milliseconds per image here and in PyTorch, in its default memory format and in
`channels_last`, how many times faster than each this is, and the speed reached in terms of the
multiplications and additions of convolutions and matrix products, also as a share of the machine's
peak, which is that of a large matrix product measured in the same run.

Cases: `forward`; `gradient`, one forward pass and the gradient of one projection of the embeddings
with respect to the images; with --many also `10 gradients`, one forward pass and ten of them; each
for 4 images one by one (x1), here in one compiled loop, as the method runs, and for a batch of 16
(x16). The rivals take turns, and the best turn of each counts: whatever else the machine does can
only add. Preprocessing is included. On a GPU each case runs in float32, TF32 and bfloat16.

Networks whose weights nobody may hand on, or that are not at hand, have random weights, the same on
both sides. Needs PyTorch: `pip install '.[parity]'`.
"""

import argparse
import copy
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.machine import PRECISIONS, product_speed, race
from benchmarks.subject import embed, subject
from tipim_jax import networks

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
    """One case: times and 1e6 operations are per image, `peak` is a share of 1."""

    network: str
    case: str
    batch: int
    precision: str
    jax_ms: float
    torch_ms: float
    torch_channels_last_ms: float
    mflop: float
    gflop_per_s: float
    peak: float

    def line(self) -> str:
        rivals = (self.torch_ms, self.torch_channels_last_ms)
        theirs = ", ".join(f"{ms:7.2f} ({ms / self.jax_ms:4.2f}x)" for ms in rivals)
        return (
            f"{self.network:<18} {self.case:<12} x{self.batch:<2} {self.precision:<8} "
            f"{self.jax_ms:7.2f} ms/image; PyTorch, channels_last: {theirs}; "
            f"{self.mflop:6.0f} MFLOP/image, {self.gflop_per_s:6.1f} GFLOP/s, "
            f"{self.peak:4.0%} of peak"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="networks; all by default")
    parser.add_argument("--json", metavar="PATH", help="also write the figures to this file")
    parser.add_argument("--cores", type=int, default=1, help="cores to use (default: 1)")
    parser.add_argument("--seconds", type=float, default=4.0, help="to spend on each case")
    parser.add_argument("--many", action="store_true", help="measure 10 gradients, too")
    options = parser.parse_args()
    # JAX sizes its thread pool by the cores that it may use when it first computes something.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.cores])
    torch.set_num_threads(options.cores)
    on_gpu = jax.default_backend() == "gpu"
    precisions = list(PRECISIONS) if on_gpu else ["float32"]
    peaks = {precision: product_speed(precision, jax.local_devices()) for precision in precisions}
    for precision, peak in peaks.items():
        print(f"peak in {precision}: {peak:.0f} GFLOP/s (matrix product)", flush=True)
    results = []
    for name in options.names or networks.names():
        measured = subject(name, compared=True)
        module, variables = measured.module(), measured.variables
        for batch in (1, 16):
            for precision in precisions:
                for result in _measure(
                    name, module, variables, batch, precision, peaks[precision], options
                ):
                    print(result.line(), flush=True)
                    results.append(result)
    if options.json:
        with open(options.json, "w") as file:
            json.dump([asdict(result) for result in results], file, indent=1)


def _measure(name, module, variables, batch, precision, peak, options) -> Iterator[Result]:
    rng = np.random.default_rng(0)
    count = max(IMAGES, batch)
    images = rng.uniform(0, 255, (count // batch, batch, 112, 112, 3)).astype(np.float32)
    size = networks.get(name).embedding_size
    cotangents = rng.normal(size=(COTANGENTS, batch, size)).astype(np.float32)
    ours = _jax_cases(name, variables, images, cotangents, precision)
    theirs = _torch_cases(name, module, images, cotangents, precision)
    for case, run in ours.items():
        if case.startswith(str(COTANGENTS)) and not options.many:
            continue
        rivals = theirs[case]
        with FlopCounterMode(display=False) as counter:
            rivals[0]()
        times = (best / count * 1e3 for best in race([run, *rivals], options.seconds))
        mine, default, channels_last = times
        mflop = counter.get_total_flops() / count / 1e6
        yield Result(
            name,
            case,
            batch,
            precision,
            mine,
            default,
            channels_last,
            mflop,
            mflop / mine,
            mflop / mine / peak,
        )


def _jax_cases(name, variables, images, cotangents, precision):
    @jax.jit
    def forward(variables, batches):
        return jax.lax.map(lambda images: embed(name, precision, variables, images), batches)

    @jax.jit
    def gradients(variables, batches, cotangents):
        def one_batch(images):
            _, pullback = jax.vjp(lambda x: embed(name, precision, variables, x), images)
            return jax.vmap(pullback)(cotangents)

        return jax.lax.map(one_batch, batches)

    x, c = jnp.asarray(images), jnp.asarray(cotangents)
    one = c[:1]
    return {
        "forward": lambda: forward(variables, x).block_until_ready(),
        "gradient": lambda: gradients(variables, x, one)[0].block_until_ready(),
        f"{COTANGENTS} gradients": lambda: gradients(variables, x, c)[0].block_until_ready(),
    }


def _torch_cases(name, module, images, cotangents, precision):
    """For each case, one callable for each memory format."""
    _, dtype, tf32 = PRECISIONS[precision]
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = getattr(torch, dtype)
    finish = torch.cuda.synchronize if device == "cuda" else lambda: None
    cases: dict[str, list[Callable[[], object]]] = {}
    for layout in (torch.contiguous_format, torch.channels_last):
        rival = copy.deepcopy(module).to(device, dtype, memory_format=layout)
        batches = [
            torch.from_numpy(x.transpose(0, 3, 1, 2).copy())
            .to(device)
            .contiguous(memory_format=layout)
            for x in images
        ]
        c = torch.from_numpy(cotangents).to(device)

        def embed(x, rival=rival):
            return rival(torch_networks.preprocess(name, x).to(dtype)).float()

        def forward(batches=batches, embed=embed):
            with torch.inference_mode():
                found = [embed(x) for x in batches]
            finish()
            return found

        def gradients(count, batches=batches, c=c, embed=embed):
            for x in batches:
                pixels = x.detach().requires_grad_()
                embeddings = embed(pixels)
                for cotangent in c[:count]:
                    torch.autograd.grad(embeddings, pixels, cotangent, retain_graph=True)
            finish()

        cases.setdefault("forward", []).append(forward)
        cases.setdefault("gradient", []).append(lambda run=gradients: run(1))
        cases.setdefault(f"{COTANGENTS} gradients", []).append(
            lambda run=gradients: run(COTANGENTS)
        )
    return cases


if __name__ == "__main__":
    main()
