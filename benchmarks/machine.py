"""The machine that a benchmark runs on: its devices, its speed, and how time and memory are taken.

Speeds are in GFLOP/s, memory in GB (10⁹ bytes). Whatever else a machine does can only slow a
benchmark down, so the best of several turns counts throughout.
"""

import contextlib
import functools
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.compilation_cache import compilation_cache

from tipim_jax import networks, traced
from tipim_jax.runtime import cores

# Precision -> (JAX's name for that of products, dtype of the network, whether PyTorch takes TF32).
PRECISIONS = {
    name: (one.products, one.dtype, name != "float32") for name, one in networks.PRECISIONS.items()
}


def devices(wanted: Sequence[int] = ()) -> list[jax.Device]:
    """All local devices; of a CPU as many as the largest of `wanted`, or else one for each core.

    Call it before JAX computes anything: the number of a CPU's devices cannot change afterwards.
    """
    jax.config.update("jax_num_cpu_devices", max(wanted, default=cores()))
    return jax.local_devices()


def describe() -> dict[str, object]:
    """What figures depend on beside the code."""
    return {
        "device": jax.local_devices()[0].device_kind,
        "devices": len(jax.local_devices()),
        "cores": cores(),
        "jax": jax.__version__,
    }


def race(runs: Sequence[Callable[[], object]], seconds: float, turns: int = 3) -> list[float]:
    """Seconds of each run's best turn, of `turns` or more that take `seconds` in all."""
    best = [float("inf")] * len(runs)
    for run in runs:
        run()  # compiles, warms caches
    end = time.perf_counter() + seconds
    done = 0
    while done < turns or time.perf_counter() < end:
        for index, run in enumerate(runs):
            best[index] = min(best[index], seconds_of(run))
        done += 1
    return best


def seconds_of(run: Callable[[], object]) -> float:
    """How long one call takes."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


@functools.cache
def product_speed(precision: str, on: tuple[jax.Device, ...]) -> float:
    """GFLOP/s of a large matrix product on each of the devices at once, all together."""
    side = 2048 if on[0].platform == "cpu" else 8192
    product, dtype, _ = PRECISIONS[precision]
    random = np.random.default_rng(0).standard_normal((side, side), np.float32)
    a = jnp.asarray(random, dtype)
    return speed(lambda a, b: jnp.matmul(a, b, precision=product), (a, a), 2 * side**3, on)


def speed(function: Callable, arguments: tuple, flops: float, on: Sequence[jax.Device]) -> float:
    """GFLOP/s of a function of `flops` operations on each of the devices at once, all together."""
    on_all = jax.pmap(function, devices=on)
    copy = jax.pmap(lambda _, arrays: arrays, in_axes=(0, None), devices=on)
    copies = copy(np.zeros(len(on)), arguments)
    calls = 1 if on[0].platform == "cpu" else 10  # one alone would also wait to be asked for

    def run():
        jax.block_until_ready([on_all(*copies) for _ in range(calls)])

    (best,) = race([run], 1.0)
    return flops * calls * len(on) / best / 1e9


@functools.cache
def bandwidth(device: jax.Device) -> float:
    """GB/s that a device's memory reads and writes, together, in one pass over a large array."""
    size = 2**26 if device.platform == "cpu" else 2**30
    array = jax.device_put(np.zeros(size // 4, np.float32), device)
    negated = jax.jit(jnp.negative, donate_argnums=0)  # in its place: new memory costs a CPU time

    def run():
        nonlocal array
        for _ in range(10):
            array = negated(array)
        jax.block_until_ready(array)

    (best,) = race([run], 0.5)
    return 10 * 2 * size / best / 1e9


@contextlib.contextmanager
def empty_cache() -> Iterator[None]:
    """Nothing is compiled, here or on disk; what is from now on goes to a place of its own."""
    traced.forget()
    before = jax.config.jax_compilation_cache_dir
    with tempfile.TemporaryDirectory() as folder:
        jax.config.update("jax_compilation_cache_dir", folder)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        compilation_cache.reset_cache()
        try:
            yield
        finally:
            jax.config.update("jax_compilation_cache_dir", before)
            compilation_cache.reset_cache()


def forget_peak_memory() -> None:
    """Starts the high-water mark of `peak_memory` anew where the system can (Linux; no GPU)."""
    mark = Path("/proc/self/clear_refs")
    if mark.exists():
        mark.write_text("5")


def peak_memory(on: Sequence[jax.Device]) -> float | None:
    """High-water mark in GB: of the fullest accelerator since the process began, or of the process.

    None where a device does not say.
    """
    if on[0].platform != "cpu":
        known = [(device.memory_stats() or {}).get("peak_bytes_in_use") for device in on]
        return max(known) / 1e9 if all(known) else None
    status = Path("/proc/self/status")
    if status.exists():
        mark = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(mark.split()[1]) * 1024 / 1e9
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
