"""Speed of the method beside PyTorch: same weights, crops, targets, process and cores or GPU.

    python -m benchmarks.attack [--network NAME] [--batch N] [--preset NAME] [--mode MODE]
        [--dtype NAME] [--devices N] [--no-torch] [--json PATH] [--compare PATH]

One row for each combination; all but the last three may be given several times.

Columns: images times iterations a second; seconds for an image with all iterations of the preset,
the first embeddings included; operations of the networks for an image and iteration, by XLA's
count; these a second; as a share of what a large matrix product reaches on the same devices, and of
what the network's largest layer reaches alone; seconds to compile, without and with the cache of
compiled programs; peak memory with compilation, in GB: of this process, PyTorch not counted but
where it makes random weights, or of a GPU since the process began. Last, our speed over PyTorch's,
which always searches among all targets in every iteration, as the exact mode does:

  official  the authors' way: one image at a time, gradients of the weights that nobody uses
  tuned     all images at once, without them
  best      the fastest of `tuned` with channels last, with all gradients in one backward pass, and
            compiled; on a GPU in bfloat16 where our row is (`best_way` in the JSON says which)

`taskset -c 0,1` before it limits the cores. PyTorch: `make parity` installs it.

    python -m benchmarks.attack --device-report [--minutes N] [--json PATH] [--markdown PATH]

measures instead all that an accelerator makes of the product (docs/performance.md), with
`--network`, `--mode`, `--batch`, `--dtype` and `--no-torch` as above.
"""

import os

# XLA's compiler logs machine features that a cached program does not need as errors.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# PyTorch needs memory of the same GPU.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

import argparse
import dataclasses
import functools
import importlib.util
import itertools
import sys

from benchmarks import flops, machine, pytorch, table
from benchmarks.method import prepared
from benchmarks.subject import Subject, faces, subject
from tipim_jax import networks, source, traced
from tipim_jax.method import PRESETS, Layout, TipIm

TARGETS = 10
MODES = {
    "exact": {},
    "search-every-5": {"search_every": 5},
    "nearest": {"target_choice": "nearest"},
}
KEYS = ("network", "batch", "preset", "mode", "dtype", "devices")
COLUMNS = {
    "network": ("network", ""),
    "batch": ("batch", ""),
    "preset": ("preset", ""),
    "mode": ("mode", ""),
    "dtype": ("dtype", ""),
    "devices": ("devices", ""),
    "speed": ("images·it/s", ".2f"),
    "seconds_per_image": ("s/image", ".2f"),
    "gflop": ("GFLOP/image·it", ".2f"),
    "gflop_per_s": ("GFLOP/s", ".1f"),
    "of_product": ("of product", ".0%"),
    "of_layer": ("of layer", ".0%"),
    "compile": ("compile s", ".1f"),
    "compile_cached": ("cached s", ".1f"),
    "memory": ("GB", ".2f"),
    "over_official": ("/ official", ".2f"),
    "over_tuned": ("/ tuned", ".2f"),
    "over_best": ("/ best", ".2f"),
    "over_stored": ("/ stored", ".3f"),
}


def main() -> None:
    options = _options()
    if options.device_report:
        # Imported here: it takes what only it needs.
        from benchmarks.device.report import report

        report(options)
        return
    options.network = options.network or ["mobileface"]
    options.batch = options.batch or [8]
    options.mode = options.mode or list(MODES)
    options.dtype = options.dtype or ["float32"]
    if options.torch and not importlib.util.find_spec("torch"):
        sys.exit("PyTorch is not installed: `make parity` installs it, --no-torch leaves it out")
    try:
        before = table.load(options.compare) if options.compare else []
    except ValueError as error:
        sys.exit(f"--compare: {error}")
    available = machine.devices(options.devices)
    if max(options.devices, default=0) > len(available):
        sys.exit(f"--devices {max(options.devices)}: there are {len(available)}")
    subjects = {name: subject(name, compared=options.torch) for name in options.network}
    rows = []
    grid = (options.network, options.batch, options.preset, options.dtype, options.mode)
    for *combined, count in itertools.product(*grid, options.devices or [None]):
        name, batch, preset, dtype, mode = combined
        if count is None:
            count = min(batch, len(available))
        key = dict(zip(KEYS, (name, batch, preset, mode, dtype, count), strict=True))
        _say(" ".join(map(str, key.values())))
        settings = dataclasses.replace(PRESETS[preset](), **MODES[mode])
        on = tuple(available[:count])
        rows.append(key | _ours(subjects[name], batch, dtype, settings, on, options))
    if options.torch:
        for (name, batch, preset, dtype), group in _grouped(rows):
            _say(f"PyTorch: {name} {batch} {preset} {dtype}")
            theirs = _torch(subjects[name], batch, dtype, PRESETS[preset](), options)
            for row in group:
                row |= theirs
                row |= {f"over_{way}": row["speed"] / theirs[way] for way in pytorch.WAYS}
    if options.compare:
        for row, ratio in zip(rows, table.ratios(rows, before, KEYS, "speed"), strict=True):
            row["over_stored"] = ratio
    shown = {name: column for name, column in COLUMNS.items() if rows and name in rows[0]}
    print(table.text(rows, shown))
    if options.json:
        table.save(options.json, machine.describe(), rows)


def _options():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])

    def several(flag, default, **kind):
        parser.add_argument(flag, action="append", help=f"default: {default}", **kind)

    several("--network", "mobileface", choices=networks.names())
    several("--batch", "8", type=int)
    several("--preset", "official", choices=PRESETS)
    several("--mode", "all", choices=MODES)
    several("--dtype", "float32", choices=machine.PRECISIONS)
    several("--devices", "all, but no more than images", type=int)
    parser.add_argument("--iterations", type=int, default=5, help="in a turn (default: 5)")
    parser.add_argument("--turns", type=int, default=3, help="the best counts (default: 3)")
    parser.add_argument("--no-torch", dest="torch", action="store_false", help="ours alone")
    parser.add_argument(
        "--no-torch-compile",
        dest="torch_compile",
        action="store_false",
        help="leave PyTorch's compiler out, which takes minutes on a CPU",
    )
    parser.add_argument("--json", metavar="PATH", help="also write the figures to this file")
    parser.add_argument("--compare", metavar="PATH", help="show speeds over those in this file")
    parser.add_argument(
        "--device-report",
        action="store_true",
        help="measure instead all that an accelerator makes of the product, for `--minutes`",
    )
    parser.add_argument(
        "--minutes", type=float, default=8.0, help="of the device report (default: 8)"
    )
    parser.add_argument("--faces", type=int, help="of the device report's product")
    parser.add_argument("--part", action="append", help="of the device report (default: all)")
    parser.add_argument("--markdown", metavar="PATH", help="also write the report to this file")
    options = parser.parse_args()
    options.preset = options.preset or ["official"]
    options.devices = options.devices or []
    return options


def _say(what):
    print(f"{what} …", file=sys.stderr, flush=True)


def _grouped(rows):
    """Rows that PyTorch does the same work for."""
    groups = {}
    for row in rows:
        groups.setdefault(
            tuple(row[k] for k in ("network", "batch", "preset", "dtype")), []
        ).append(row)
    return groups.items()


def _ours(measured: Subject, batch, dtype, settings: TipIm, on, options) -> dict[str, object]:
    """Our figures of a row, beside its keys."""
    images, targets = faces(batch, TARGETS)
    surrogate = measured.surrogate(dtype)
    layout = Layout.choose((surrogate,), images, settings.gradients(TARGETS), on)
    # As many iterations as have their share of searches.
    count = -(-options.iterations // settings.search_every) * settings.search_every

    def prepare():
        return prepared((surrogate,), images, targets, settings, layout)

    def first():
        prepare()(count)

    machine.forget_peak_memory()
    with machine.empty_cache():
        cold = machine.seconds_of(first)
        traced.forget()
        cached = machine.seconds_of(first)
        run = prepare()
        starting, turn = machine.race([prepare, lambda: run(count)], 0, options.turns)
        memory = machine.peak_memory(on)
    step = turn / count
    work = flops.of_iteration(flops.passes(surrogate), settings, TARGETS)
    reached = work * batch / step / 1e9
    return {
        "speed": batch / step,
        "seconds_per_image": (starting + settings.iterations * step) / batch,
        "gflop": work / 1e9,
        "gflop_per_s": reached,
        "of_product": reached / machine.product_speed(dtype, on),
        "of_layer": reached / _layer_speed(measured.name, dtype, layout),
        "compile": cold - starting - turn,
        "compile_cached": cached - starting - turn,
        "memory": memory,
        "random_weights": measured.random,
    }


@functools.cache
def _layer_speed(name, dtype, layout):
    """GFLOP/s of the largest layer, for as many images as the method takes through it at once."""
    layer = flops.largest_layer(name, dtype, layout.images * layout.targets)
    return machine.speed(layer.run, layer.arguments(), layer.flops, layout.devices)


def _torch(measured: Subject, batch, dtype, settings: TipIm, options) -> dict[str, object]:
    try:
        return pytorch.speeds(
            measured,
            batch,
            TARGETS,
            dtype,
            settings,
            iterations=options.iterations,
            turns=options.turns,
            compiler=options.torch_compile,
        )
    except pytorch.NoDeviceError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    source.begin()  # programs are kept as by a command
    main()
