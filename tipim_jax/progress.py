"""Progress bars, on stderr or on a console that is given."""

import contextlib
from collections.abc import Callable, Iterator

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from tipim_jax.console import Console, printable


@contextlib.contextmanager
def progress(doing: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on stderr that goes when the work is done; what it gives is called with steps done."""
    console = Console(stderr=True)
    if not console.is_terminal:  # where nothing can move, one line says that it takes a while
        console.print(f"{doing} …")
    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with bar:
        task = bar.add_task(printable(doing), total=total)
        yield lambda count: bar.advance(task, count)


_WIDE = 100  # columns, of which the rate needs some


class _Rate(ProgressColumn):
    def render(self, task):
        unit = task.fields["unit"]
        return Text(f"{task.speed:.3g} {unit}/s" if task.speed else "", style="dim")


class _Moving(BarColumn):
    """A bar that runs to and fro until something is done, as while a program is compiled."""

    def render(self, task):
        bar = super().render(task)
        bar.pulse = bar.pulse or not (task.completed or task.finished)
        return bar


class Bars(Progress):
    """Bars one below the other, in the order in which work is added, with rate and time left.

    Something of one that is not finished moves each second, however long a step takes.
    """

    def __init__(self, console: Console, **how):
        self._said = ""
        super().__init__(
            SpinnerColumn("line", finished_text=" "),  # of signs that every console has
            TextColumn("{task.description:<22}", markup=False),
            _Moving(bar_width=20),
            TextColumn("{task.completed:.0f}/{task.total:.0f} {task.fields[unit]}"),
            *([_Rate()] if console.width >= _WIDE else []),
            TimeElapsedColumn(),
            TimeRemainingColumn(compact=True),
            console=console,
            speed_estimate_period=300,
            **how,
        )

    def add(self, description: str, total: int, unit: str) -> Callable[[float], None]:
        """A new bar; calling what it returns moves the bar on by that much."""
        task = self.add_task(printable(description), total=total, unit=unit)
        return lambda amount: self.advance(task, amount)

    def say(self, line: str) -> None:
        """Shows a line below the bars, in place of the one before."""
        self._said = printable(line)

    def get_renderables(self) -> Iterator[Table | Text]:
        yield from super().get_renderables()
        if self._said:
            yield Text(self._said)
