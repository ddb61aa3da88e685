"""Speed of the method in PyTorch, on what JAX computes on, in each way of `torch_loops`."""

import functools
import sys
from collections.abc import Callable

import jax

from benchmarks import machine
from benchmarks.subject import Subject, faces
from tipim_jax.method import TipIm

WAYS = ("official", "tuned", "best")


class NoDeviceError(Exception):
    """PyTorch does not find what JAX computes on."""


def speeds(
    measured: Subject,
    batch: int,
    targets: int,
    precision: str,
    settings: TipIm,
    *,
    iterations: int,
    turns: int,
    compiler: bool,
) -> dict[str, object]:
    """Images times iterations a second of `WAYS`, and which one is the best.

    Args:
      measured: made to be compared.
      precision: of `machine.PRECISIONS`; on a GPU bfloat16 is for the best way alone.
      iterations: of a turn.
      turns: of which the best counts.
      compiler: whether PyTorch's takes part.

    Raises:
      NoDeviceError: see there.
    """
    import torch

    from benchmarks import torch_loops

    on_gpu = jax.default_backend() == "gpu"
    if on_gpu and not torch.cuda.is_available():
        raise NoDeviceError("this PyTorch finds no GPU, JAX does; --no-torch leaves it out")
    device = "cuda" if on_gpu else "cpu"
    torch.set_num_threads(machine.cores())
    _, _, tf32 = machine.PRECISIONS[precision]
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cudnn.benchmark = True
    images, wanted = (
        torch.from_numpy(crops.transpose(0, 3, 1, 2).copy()).to(device)
        for crops in faces(batch, targets)
    )

    def speed(loop: Callable, images) -> float:
        def run(count):
            loop(images, wanted, settings, count)
            if on_gpu:
                torch.cuda.synchronize()

        run(1)
        (turn,) = machine.race([functools.partial(run, iterations)], 0, turns)
        return iterations * len(images) / turn

    def network(bfloat16=False):
        return torch_loops.Network(measured.name, measured.module(), bfloat16=bfloat16).to(device)

    try:
        ways = {"tuned": speed(torch_loops.tuned(network()), images)}
        for way, loop in torch_loops.BEST.items():
            if way == "compiled" and not compiler:
                continue
            try:
                ways[way] = speed(loop(network(on_gpu and precision == "bfloat16")), images)
            except Exception as error:  # of whatever kind: they depend on the machine
                print(f"PyTorch, {way}, does not work here: {error!r:.200}", file=sys.stderr)
        official = speed(torch_loops.official(network()), images[:1])
    finally:
        if on_gpu:
            torch.cuda.empty_cache()  # JAX needs memory of the same GPU
    best = max(ways, key=ways.get)
    return {
        "official": official,
        "tuned": ways["tuned"],
        "best": ways[best],
        "best_way": best,
        "ways": ways,
    }
