"""Where the time of a program goes: reads what `jax.profiler` wrote.

A GPU's kernels stand in its streams' lines; on a CPU, in the lines of its threads, what is within
another (a loop's body in the loop) counts for itself alone.
"""

import gzip
import json
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import jax


class Event(NamedTuple):
    """A kernel, once.

    Attributes:
      line: the stream or thread that it ran in.
      name: the instruction's where the trace knows it, or else the kernel's.
      start, duration: in microseconds.
    """

    line: str
    name: str
    start: float
    duration: float

    @property
    def end(self) -> float:
        return self.start + self.duration


class Profile(NamedTuple):
    """Milliseconds, all iterations together.

    Attributes:
      categories: of each category, over all lines; a line is a stream, or a thread of a CPU.
      kernels: (name, category, milliseconds, number of runs), the most expensive first.
      idle: from the first kernel to the last, in which none ran.
      whole: from the first kernel to the last.
    """

    categories: dict[str, float]
    kernels: list[tuple[str, str, float, int]]
    idle: float
    whole: float


class Recording:
    """What runs on the devices from `begin` to the end of a context.

    Attributes:
      events: the kernels.
      fault: why they are not known; empty where they are. What a profiler can do depends on the
        driver, and what else was measured is to stay.
      under_way: whether it was begun.
    """

    def __init__(self):
        self.events: list[Event] = []
        self.fault = "it was never begun"
        self.under_way = False

    def __enter__(self):
        self._folder = tempfile.TemporaryDirectory()
        return self

    def begin(self) -> None:
        options = jax.profiler.ProfileOptions()
        options.python_tracer_level = 0
        try:
            jax.profiler.start_trace(self._folder.name, profiler_options=options)
            self.under_way, self.fault = True, ""
        except Exception as error:  # of whatever kind
            self.fault = f"{error!r:.500}"

    def __exit__(self, *_):
        try:
            if self.under_way:
                jax.profiler.stop_trace()
                self.events = list(read(Path(self._folder.name)))
        except Exception as error:  # of whatever kind
            self.fault = f"{error!r:.500}"
        self._folder.cleanup()


def read(folder: Path) -> Iterator[Event]:
    """The kernels of the newest trace below a folder.

    Raises:
      ValueError: there is none, or it holds no kernel.
    """
    files = sorted(folder.rglob("*.trace.json.gz"), key=lambda file: file.stat().st_mtime)
    if not files:
        raise ValueError(f"no *.trace.json.gz below {folder}")
    with gzip.open(files[-1]) as stream:
        written = json.load(stream)["traceEvents"]
    processes, threads = {}, {}
    for event in written:
        if event.get("name") == "process_name":
            processes[event["pid"]] = event["args"]["name"]
        elif event.get("name") == "thread_name":
            threads[event["pid"], event["tid"]] = event["args"]["name"]
    found = False
    for event in written:
        if event.get("ph") != "X":
            continue
        process = processes.get(event["pid"], "")
        thread = threads.get((event["pid"], event.get("tid")), "")
        operation = event.get("args", {}).get("hlo_op")
        on_device = process.startswith("/device:")
        # Other lines of a GPU sum its streams up; a TPU's operations have one of that name.
        if thread.startswith(("Stream", "XLA Ops")) if on_device else operation:
            found = True
            name = event["name"] if on_device else operation
            line = f"{process} {event.get('tid')}"
            yield Event(line, name, float(event["ts"]), float(event.get("dur", 0)))
    if not found:
        lines = sorted({f"{processes.get(pid)}: {name}" for (pid, _), name in threads.items()})
        raise ValueError(f"{files[-1]} holds no kernel; its lines are {lines}")


def profile(events: Iterable[Event], category: Callable[[str], str]) -> Profile:
    """Sums events up.

    Args:
      category: of a kernel's name.
    """
    lines = defaultdict(list)
    for event in events:
        lines[event.line].append(event)
    total, runs = defaultdict(float), defaultdict(int)
    for line in lines.values():
        for event, own in _own_times(line):
            total[event.name] += own / 1e3
            runs[event.name] += 1
    categories = defaultdict(float)
    for name, milliseconds in total.items():
        categories[category(name)] += milliseconds
    kernels = sorted(total, key=total.get, reverse=True)
    busy, whole = _busy([event for line in lines.values() for event in line])
    return Profile(
        dict(categories),
        [(name, category(name), total[name], runs[name]) for name in kernels],
        (whole - busy) / 1e3,
        whole / 1e3,
    )


def _own_times(line):
    """(event, microseconds without those of the events within it).

    Neighbours that overlap, as a GPU begins a kernel while the last one ends, are not within.
    """
    open_, done = [], []
    for event in sorted(line, key=lambda one: (one.start, -one.duration)):
        while open_ and open_[-1][0].end <= event.start:
            done.append(open_.pop())
        if open_ and event.end <= open_[-1][0].end:
            open_[-1][1] -= event.duration
        open_.append([event, event.duration])
    return [(event, max(own, 0.0)) for event, own in done + open_]


def _busy(events):
    """Microseconds in which an event was under way, and from the first to the end of the last."""
    busy, until = 0.0, None
    events = sorted(events, key=lambda one: one.start)
    for event in events:
        if until is None or event.start > until:
            busy += event.duration
        elif event.end > until:
            busy += event.end - until
        until = event.end if until is None else max(until, event.end)
    return busy, (until - events[0].start if events else 0.0)
