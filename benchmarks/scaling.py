"""How the time of the method grows with the size of the work, one axis at a time.

    python -m benchmarks.scaling [--axis NAME] [--network NAME] [--limit S] [--json PATH]

Axes: `batch`, images; `iterations`, of one call; `targets`; `surrogates`, one network several times
over; `devices`. The others stay at a batch of 8 (of `devices`: of 4 images for each), 1 iteration,
10 targets, 1 surrogate and all devices, with the official preset. Prints seconds of a call that is
compiled already, and of each axis the exponent p of seconds ~ size^p, fitted by least squares of
their logarithms: 1 is linear; on `devices` −1 is all that can be had. An axis ends early where, by
what it took before, a call would take longer than `--limit`: on a CPU 10 s unless told otherwise.
A single target is not searched for, which is less work by a forward pass.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks import machine, table
from benchmarks.method import prepared
from benchmarks.subject import faces, subject
from tipim_jax import networks
from tipim_jax.method import Layout, TipIm

SIZES = {
    "batch": [2**power for power in range(10)],
    "iterations": [1, 2, 5, 10, 20],
    "targets": [1, 2, 5, 10, 20, 50],
    "surrogates": [1, 2, 3, 4],
    "devices": [],  # all that there are
}
BASE = {"batch": 8, "iterations": 1, "targets": 10, "surrogates": 1}
IMAGES_PER_DEVICE = 4
COLUMNS = {
    "axis": ("axis", ""),
    "size": ("size", ""),
    "seconds": ("s", ".4f"),
    "per_size": ("s/size", ".4f"),
    "devices": ("devices", ""),
}


def exponent(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """p of seconds ~ size^p, by least squares of their logarithms.

    Raises:
      ValueError: there are fewer than two sizes.
    """
    if len(set(sizes)) < 2:
        raise ValueError(f"an exponent needs two sizes; got {list(sizes)}")
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--axis", action="append", choices=SIZES, help="default: all")
    parser.add_argument("--network", choices=networks.names(), default="mobileface")
    parser.add_argument("--limit", type=float, metavar="S", help="seconds of the longest call")
    parser.add_argument("--turns", type=int, default=3, help="the best counts (default: 3)")
    parser.add_argument("--json", metavar="PATH", help="also write the figures to this file")
    options = parser.parse_args()
    available = machine.devices()
    if options.limit is None:
        options.limit = 10.0 if available[0].platform == "cpu" else float("inf")
    measured = subject(options.network, compared=False)
    rows, exponents = [], {}
    for axis in options.axis or SIZES:
        found = list(_along(axis, measured, available, options))
        rows += found
        print(table.text(found, COLUMNS))
        if len(found) > 1:
            exponents[axis] = exponent(
                *zip(*((r["size"], r["seconds"]) for r in found), strict=True)
            )
            print(f"seconds ~ {axis}^{exponents[axis]:.2f}", flush=True)
        if options.json:  # after each axis: a run may be stopped
            about = machine.describe() | {"network": options.network, "exponents": exponents}
            table.save(options.json, about, rows)


def _along(axis, measured, available, options) -> Iterator[dict[str, object]]:
    sizes = SIZES[axis] or _device_counts(len(available))
    before = None
    for size in sizes:
        if before and (expected := before["per_size"] * size) > options.limit:
            print(f"{axis} ends before {size}: about {expected:.0f} s a call", file=sys.stderr)
            return
        print(f"{axis} {size} …", file=sys.stderr, flush=True)
        work = BASE | ({axis: size} if axis in BASE else {})
        devices = None
        if axis == "devices":
            work["batch"] = IMAGES_PER_DEVICE * sizes[-1]
            devices = available[:size]
        images, targets = faces(work["batch"], work["targets"])
        surrogates = [measured.surrogate("float32")] * work["surrogates"]
        layout = Layout.choose(surrogates, images, work["targets"], devices)
        run = prepared(surrogates, images, targets, TipIm.official(), layout)
        (seconds,) = machine.race([lambda: run(work["iterations"])], 0, options.turns)  # noqa: B023
        before = {
            "axis": axis,
            "size": size,
            "seconds": seconds,
            "per_size": seconds / size,
            "devices": len(layout.devices),
        }
        yield before


def _device_counts(most):
    """1, 2, 4 … and all; a batch of some for each of all divides among these alone."""
    return [count for count in range(1, most + 1) if most % count == 0]


if __name__ == "__main__":
    main()
