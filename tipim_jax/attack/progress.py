"""Progress bars with rate and time left."""

from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text


class _Rate(ProgressColumn):
    def render(self, task):
        unit = task.fields["unit"]
        return Text(f"{task.speed:.3g} {unit}/s" if task.speed else "", style="dim")


class Bars(Progress):
    """Bars on the console, one below the other, in the order in which work is added."""

    def __init__(self, console: Console):
        super().__init__(
            TextColumn("{task.description:<24}"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f} {task.fields[unit]}"),
            _Rate(),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            console=console,
            speed_estimate_period=300,
        )

    def add(self, description: str, total: int, unit: str) -> Callable[[float], None]:
        """A new bar; calling what it returns moves the bar on by that much."""
        task = self.add_task(description, total=total, unit=unit)
        return lambda amount: self.advance(task, amount)
