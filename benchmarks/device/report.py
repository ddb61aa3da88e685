"""The parts of a device report, one after the other, for as long as there is time."""

import sys
import time
import traceback
from argparse import Namespace
from collections.abc import Callable, Sequence
from functools import cache, partial
from itertools import chain, product
from pathlib import Path
from typing import NamedTuple

import jax

from benchmarks import machine, pytorch, table
from benchmarks.device import ceilings, network, protecting
from benchmarks.device.markdown import markdown
from benchmarks.subject import faces, subject
from tipim_jax.method import TipIm

TARGETS = 10
# The heaviest network with a search and without, and one whose maps weigh more than its arithmetic.
CASES = {"irse50": ("exact", "nearest"), "mobileface": ("nearest",)}
BATCH = 64
LARGER = 256  # last, if there is time
FACES = 256
PARTS = ("ceilings", "networks", "pytorch", "method", "files")
# Seconds of cases that take long to compile: on an H200 169 of the first (docs/performance.md).
_EXPECTED = {("irse50", "exact"): 200, ("irse50", "nearest"): 100}
_MODES = {"exact": TipIm.official, "nearest": TipIm.economical}


class Part(NamedTuple):
    """A part of the report.

    Attributes:
      name: of its rows.
      title: what is said while it runs.
      expected: seconds that it takes on an accelerator, compilation included; where less is left it
        is not begun.
      run: gives its rows.
    """

    name: str
    title: str
    expected: float
    run: Callable[[], list[dict[str, object]]]


def report(options: Namespace) -> None:
    """Measures, and writes JSON and Markdown after every part; prints the latter in the end.

    Args:
      options: those of `python -m benchmarks.attack`.
    """
    if unknown := sorted(set(options.part or ()) - set(PARTS)):
        sys.exit(f"--part {unknown[0]}: expected one of {', '.join(PARTS)}")
    began = time.monotonic()
    devices = machine.devices(options.devices)
    rows: list[dict[str, object]] = []
    about = machine.describe() | {"minutes": options.minutes}

    def write():
        about["seconds"] = round(time.monotonic() - began)
        if options.json:
            table.save(options.json, about, rows)
        if options.markdown:
            Path(options.markdown).write_text(markdown(about, rows))

    for part in _parts(options, devices, rows):
        left = 60 * options.minutes - (time.monotonic() - began)
        if part.expected > left:
            why = f"not begun: it takes about {part.expected:.0f} s, {max(left, 0):.0f} were left"
            found = [{"fault": why}]
        else:
            print(f"{part.title} …", file=sys.stderr, flush=True)
            found = measured(part.run)
        rows += [{"part": part.name, "title": part.title} | row for row in found]
        write()
    print(markdown(about, rows))


def measured(run: Callable[[], list[dict[str, object]]]) -> list[dict[str, object]]:
    """A part's rows and how long it took; one that fails costs the others nothing."""
    began = time.monotonic()
    try:
        rows = run()
    except Exception as error:  # of whatever kind: the machine may be there for minutes alone
        traceback.print_exc()
        rows = [{"fault": f"{error!r:.500}", "traceback": traceback.format_exc()}]
    return [row | {"took": time.monotonic() - began} for row in rows]


def _parts(
    options: Namespace, devices: Sequence[jax.Device], rows: list[dict[str, object]]
) -> list[Part]:
    """In the order of their importance.

    Args:
      rows: of the parts that are done.
    """
    on_cpu = devices[0].platform == "cpu"
    precisions = options.dtype or ["float32" if on_cpu else "bfloat16"]
    cases = CASES
    if options.network or options.mode:
        modes = [mode for mode in options.mode or _MODES if mode in _MODES]
        cases = {name: modes for name in options.network or CASES}
    of_network = partial(_of_network, devices=devices, rows=rows, options=options)
    heaviest, *others = (
        [
            part
            for precision, batch in product(precisions, options.batch or [BATCH])
            for part in of_network(name, modes, precision, batch, compare=options.torch)
        ]
        for name, modes in cases.items()
    )
    if not options.batch and not on_cpu:
        for (name, modes), precision in product(cases.items(), precisions):
            others.append(of_network(name, modes, precision, LARGER, compare=False))
    count = options.faces or (2 if on_cpu else FACES)
    protector = cache(protecting.protector)
    parts = [
        Part("ceilings", "ceilings", 30, partial(ceilings.measure, devices)),
        *heaviest,
        Part("method", "strong, masks alone", 150, lambda: [protecting.alone(protector(), count)]),
        Part("files", "strong, files", 30, lambda: [protecting.files(protector(), count)]),
        *chain.from_iterable(others),
    ]
    return [part for part in parts if part.name in (options.part or PARTS)]


def _of_network(name, modes, precision, batch, *, compare, devices, rows, options):
    """A part for each mode, and one of PyTorch, which knows the search alone."""
    what = f"{batch} images, {precision}"
    parts = [
        Part(
            "networks",
            f"{name}, {mode}, {what}",
            _EXPECTED.get((name, mode), 60),
            partial(_network, name, mode, precision, batch, devices, options),
        )
        for mode in modes
    ]
    if compare:
        run = partial(_pytorch, name, precision, batch, rows, options)
        parts.append(Part("pytorch", f"{name} in PyTorch, {what}", 40, run))
    return parts


def _network(name, mode, precision, batch, devices, options):
    measured = subject(name, compared=False)
    images, targets = faces(batch, TARGETS)
    row = network.measure(
        measured.surrogate(precision),
        images,
        targets,
        _MODES[mode](),
        precision,
        devices,
        options.turns,
    )
    return [{"network": name, "mode": mode, "random_weights": measured.random} | row]


def _pytorch(name, precision, batch, rows, options):
    theirs = pytorch.speeds(
        subject(name, compared=True),
        batch,
        TARGETS,
        precision,
        TipIm.official(),
        iterations=options.iterations,
        turns=options.turns,
        compiler=False,
    )
    case = {"network": name, "batch": batch, "dtype": precision}
    ours = {
        row["mode"]: row["speed"] for row in rows if "speed" in row and case.items() <= row.items()
    }
    over = {
        f"{mode}_over_{way}": speed / theirs[way]
        for mode, speed in ours.items()
        for way in pytorch.WAYS
    }
    return [case | theirs | over]
