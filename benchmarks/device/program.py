"""What is known of a program that is compiled: its kernels, its memory, its floors, its profile."""

from collections.abc import Sequence

import jax

from benchmarks import flops, machine
from benchmarks.device import hlo, trace
from tipim_jax.method import Surrogate, TipIm

SHOWN = 10  # the most expensive kernels


def largest_program() -> tuple[dict[str, object], hlo.Text | None]:
    """Kernels, and memory in GB, of the compiled program that asks for most of it; its text."""
    try:
        alive = jax.local_devices()[0].client.live_executables()
        memory, program = max(
            ((_memory(one), one) for one in alive), key=lambda pair: _sum(pair[0])
        )
        text = hlo.Text(program.hlo_modules()[0].to_string())
    except Exception as error:  # of whatever kind: another jaxlib may have none of these
        return {"program_fault": f"{error!r:.300}"}, None
    return {"program_memory": memory, "text_size": text.size, "kernels": text.counts()}, text


def _memory(program):
    asked = program.get_compiled_memory_stats()
    kinds = ("argument", "output", "temp", "generated_code")
    return {kind: getattr(asked, f"{kind}_size_in_bytes") / 1e9 for kind in kinds}


def _sum(memory):
    return sum(memory.values())


def where_time_goes(
    recording: trace.Recording, text: hlo.Text | None, iterations: int
) -> dict[str, object]:
    """Milliseconds of an iteration by category, and of the most expensive kernels.

    Args:
      recording: of so many iterations.
      text: of the program; None where it is not known.
    """
    if recording.fault:
        return {"profile_fault": recording.fault}
    profile = trace.profile(recording.events, text.category if text else hlo.by_name)
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


def floors(
    surrogates: Sequence[Surrogate],
    settings: TipIm,
    precision: str,
    devices: Sequence[jax.Device],
    images: int,
    targets: int,
    seconds: float,
) -> dict[str, float]:
    """Operations and bytes of an iteration's networks, and what share of its time they need.

    Args:
      precision: of `machine.PRECISIONS`, what the surrogates compute in.
      devices: that share the images.
      seconds: of an iteration of all images.
    """
    passes = flops.passes_of_weights(settings, targets) * len(devices)
    work = least = 0.0
    for one in surrogates:
        work += images * flops.of_iteration(flops.passes(one), settings, targets)
        least += images * flops.of_iteration(flops.least_bytes(one), settings, targets)
        least += passes * flops.weight_bytes(one)
    product = machine.product_speed(precision, tuple(devices)) * 1e9
    bandwidth = machine.bandwidth(devices[0]) * 1e9 * len(devices)
    return {
        "tflop": work / 1e12,
        "tflop_per_s": work / seconds / 1e12,
        "of_product": work / seconds / product,
        "least_gb": least / 1e9,
        "of_bandwidth": least / seconds / bandwidth,
        "of_floor": max(work / product, least / bandwidth) / seconds,
    }
