"""A run's progress on standard error: how far, how fast, how long still, and what the command counts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

__all__ = ["Counter", "counting"]


class Counter:
    """Moves one bar on."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def step(self, note: str = "") -> None:
        """One more is done; `note` stands behind the bar."""
        self._progress.update(self._task, advance=1, note=note)


@contextmanager
def counting(what: str, total: int | None) -> Iterator[Counter]:
    """A bar for `total` things (None: their number is not known)."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield Counter(progress, progress.add_task(what, total=total, note=""))
