"""What the device itself can do: the ceilings that everything else is a share of."""

from collections.abc import Sequence

import jax

from benchmarks import machine


def measure(devices: Sequence[jax.Device]) -> list[dict[str, object]]:
    """TFLOP/s of a large matrix product in each precision, and the bandwidth of the memory."""
    on = tuple(devices)
    # A CPU has no others to speak of.
    precisions = ["float32"] if on[0].platform == "cpu" else ["bfloat16", "tf32", "float32"]
    rows = [
        {
            "what": f"matrix product, {precision}",
            "value": machine.product_speed(precision, on) / 1e3,
            "unit": "TFLOP/s",
        }
        for precision in precisions
    ]
    bandwidth = machine.bandwidth(on[0])
    return [*rows, {"what": "memory, read and written", "value": bandwidth, "unit": "GB/s"}]
