"""One network's iterations on the device: speed, floors, compilation, memory, kernels, profile."""

import gc
from collections.abc import Sequence

import jax
import numpy as np

from benchmarks import machine
from benchmarks.device import trace
from benchmarks.device.program import floors, largest_program, where_time_goes
from benchmarks.method import prepared
from tipim_jax import traced
from tipim_jax.method import ITERATIONS_A_CALL, Layout, Surrogate, TipIm


def measure(
    surrogate: Surrogate,
    images: np.ndarray,
    targets: np.ndarray,
    settings: TipIm,
    precision: str,
    devices: Sequence[jax.Device],
    turns: int = 3,
) -> dict[str, object]:
    """A row of all figures, milliseconds being those of an iteration.

    The program is compiled twice: from nothing, and from the cache that this leaves.

    Args:
      images, targets: see `tipim_jax.method.start`; without alignments.
      precision: of `machine.PRECISIONS`, what the surrogate computes in.
      turns: of which the best counts.
    """

    def choose():
        return Layout.choose((surrogate,), images, settings.gradients(len(targets)), devices)

    def prepare(layout):
        return prepared((surrogate,), images, targets, settings, layout)

    def first():
        prepare(choose())(ITERATIONS_A_CALL)  # to choose it may take programs of its own

    with machine.empty_cache():
        gc.collect()  # programs that nobody holds any more
        cold = machine.seconds_of(first)
        figures, text = largest_program()
        layout = choose()
        run = prepare(layout)
        starting = machine.seconds_of(lambda: prepare(layout))
        (turn,) = machine.race([lambda: run(ITERATIONS_A_CALL)], 0, turns)
        with trace.Recording() as recording:
            recording.begin()
            run(ITERATIONS_A_CALL)
        traced.forget()
        cached = machine.seconds_of(first)
    step = turn / ITERATIONS_A_CALL
    return {
        "batch": len(images),
        "dtype": precision,
        "layout": str(layout),
        **figures,
        "compile": cold - starting - turn,
        "compile_cached": cached - starting - turn,
        "peak_memory": machine.peak_memory(layout.devices),
        "milliseconds": step * 1e3,
        "speed": len(images) / step,
        **floors(
            (surrogate,), settings, precision, layout.devices, len(images), len(targets), step
        ),
        **where_time_goes(recording, text, ITERATIONS_A_CALL),
    }
