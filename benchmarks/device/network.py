"""One network's iterations on the device: speed, floors, compilation, memory, kernels, profile."""

import gc
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from benchmarks import flops, machine
from benchmarks.device import hlo, trace
from benchmarks.method import prepared
from tipim_jax.method import ITERATIONS_A_CALL, Layout, Surrogate, TipIm

SHOWN = 10  # the most expensive kernels


class Compiled(NamedTuple):
    """Some work that was compiled, measured, and compiled again.

    Attributes:
      figures: `seconds` of the work, best of several turns; `starting`, of what comes before it;
        `compile` and `compile_cached`, without what then runs; what `largest_program` says.
      text: of the largest program; None where it cannot be had.
      events: what the profiler recorded of the work once; or why it did not.
    """

    figures: dict[str, object]
    text: hlo.Text | None
    events: list[trace.Event] | str


def measure(
    surrogate: Surrogate,
    images: np.ndarray,
    targets: np.ndarray,
    settings: TipIm,
    precision: str,
    devices: Sequence[jax.Device],
    turns: int = 3,
) -> dict[str, object]:
    """A row of one network's program: all its figures, milliseconds being those of an iteration.

    Args:
      images, targets: see `tipim_jax.method.start`; without alignments.
      precision: of `machine.PRECISIONS`, what the surrogate computes in.
    """
    layout = Layout.choose((surrogate,), images, len(targets), devices)

    def prepare():
        return prepared((surrogate,), images, targets, settings, layout)

    done = compiled(prepare, lambda run: run(ITERATIONS_A_CALL), turns)
    step = done.figures["seconds"] / ITERATIONS_A_CALL
    return {
        "batch": len(images),
        "dtype": precision,
        "layout": str(layout),
        **done.figures,
        "peak_memory": _peak_memory(layout.devices),
        "milliseconds": step * 1e3,
        "speed": len(images) / step,
        **_floors(surrogate, settings, precision, layout, len(images), len(targets), step),
        **where_time_goes(done, ITERATIONS_A_CALL),
    }


def compiled(
    prepare: Callable[[], object], work: Callable[[object], object], turns: int
) -> Compiled:
    """Seconds of some work, and of the compilation before it: from nothing, and from the cache.

    Args:
      prepare: gives what `work` takes, and compiles what it needs itself.
      work: compiles the rest when it is first called.
    """

    def first():
        work(prepare())

    with machine.empty_cache():
        gc.collect()  # programs that nobody holds any more
        cold = machine.seconds_of(first)
        figures, text = largest_program()
        ready = prepare()
        starting = machine.seconds_of(prepare)
        (turn,) = machine.race([lambda: work(ready)], 0, turns)
        events = recorded(lambda: work(ready))
        jax.clear_caches()
        warm = machine.seconds_of(first)
    figures |= {
        "seconds": turn,
        "starting": starting,
        "compile": cold - starting - turn,
        "compile_cached": warm - starting - turn,
    }
    return Compiled(figures, text, events)


def largest_program() -> tuple[dict[str, object], hlo.Text | None]:
    """Kernels and memory, in GB, of the largest program that is compiled now, and its text."""
    try:
        alive = jax.local_devices()[0].client.live_executables()
        texts = [one.hlo_modules()[0].to_string() for one in alive]
        text, program = max(zip(texts, alive, strict=True), key=lambda pair: len(pair[0]))
        asked = program.get_compiled_memory_stats()
        memory = {
            name: getattr(asked, f"{name}_size_in_bytes") / 1e9
            for name in ("argument", "output", "temp", "generated_code")
        }
        read = hlo.Text(text)
    except Exception as error:  # of whatever kind: another jaxlib may have none of these
        return {"program_fault": f"{error!r:.300}"}, None
    return {"program_memory": memory, "text_size": read.size, "kernels": read.counts()}, read


def recorded(run: Callable[[], object]) -> list[trace.Event] | str:
    """What ran on the device meanwhile; or why it is not known."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            return trace.recorded(run, Path(folder))
        except Exception as error:  # of whatever kind: the profiler depends on the driver
            return f"{error!r:.500}"


def where_time_goes(done: Compiled, iterations: int) -> dict[str, object]:
    """Milliseconds of an iteration by category and the most expensive kernels."""
    if isinstance(done.events, str):
        return {"profile_fault": done.events}
    category = done.text.category if done.text else hlo.by_name
    profile = trace.profile(done.events, category)
    return {
        "profile": {
            "categories": {
                name: milliseconds / iterations for name, milliseconds in profile.categories.items()
            },
            "idle": profile.idle / iterations,
            "whole": profile.whole / iterations,
            "kernels": [
                {
                    "name": name[:120],
                    "category": category,
                    "milliseconds": milliseconds / iterations,
                    "runs": runs / iterations,
                }
                for name, category, milliseconds, runs in profile.kernels[:SHOWN]
            ],
        }
    }


def _peak_memory(devices):
    """GB of the fullest device since the process began; None where that is not known."""
    known = [device.memory_stats() or {} for device in devices]
    return max((one.get("peak_bytes_in_use", 0) for one in known), default=0) / 1e9 or None


def _floors(surrogate, settings, precision, layout, images, targets, step):
    """Operations and bytes of an iteration of the batch, and the time as multiples of theirs."""
    work = images * flops.of_iteration(flops.passes(surrogate), settings, targets)
    least = images * flops.of_iteration(flops.least_bytes(surrogate), settings, targets)
    passes = flops.passes_of_weights(settings, targets) * len(layout.devices)
    least += passes * flops.weight_bytes(surrogate)
    product = machine.product_speed(precision, layout.devices) * 1e9
    bandwidth = machine.bandwidth(layout.devices[0]) * 1e9 * len(layout.devices)
    return {
        "tflop": work / 1e12,
        "tflop_per_s": work / step / 1e12,
        "of_product": work / step / product,
        "least_gb": least / 1e9,
        "of_bandwidth": least / step / bandwidth,
        "of_floor": max(work / product, least / bandwidth) / step,
    }
