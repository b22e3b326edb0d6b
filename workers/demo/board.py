"""What is being started, what waits for what, and how long each part took."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum

from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

__all__ = ["Board", "Step", "StepState"]

HEARTBEAT_S = 15.0
"""A log without a live screen hears so often what is still waited for."""


class StepState(StrEnum):
    """Where one part of the start stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(slots=True)
class Step:
    """One part of the start."""

    name: str
    state: StepState = StepState.WAITING
    note: str = ""
    started_s: float = 0.0
    seconds: float = 0.0

    @property
    def elapsed_s(self) -> float:
        """Seconds since it began, or that it took."""
        return time.monotonic() - self.started_s if self.state is StepState.RUNNING else self.seconds


@dataclass(slots=True)
class Board:
    """All parts, in the order in which they are shown. `tell` hears a line whenever one has ended."""

    tell: Callable[[str], None] = lambda _: None
    steps: dict[str, Step] = field(default_factory=dict)

    def plan(self, *names: str) -> None:
        """Shows the parts that are to come."""
        self.steps |= {name: Step(name) for name in names}

    @asynccontextmanager
    async def step(self, name: str) -> AsyncIterator[Step]:
        """Runs one part; its note may be changed while it runs."""
        step = self.steps.setdefault(name, Step(name))
        step.state, step.started_s = StepState.RUNNING, time.monotonic()
        pulse = asyncio.create_task(self._pulse(step))
        try:
            yield step
        except BaseException:
            step.seconds, step.state = step.elapsed_s, StepState.FAILED
            raise
        finally:
            pulse.cancel()
        step.seconds, step.state = step.elapsed_s, StepState.DONE
        self.tell(f"{name:<8} {step.seconds:6.1f} s  {step.note}")

    async def _pulse(self, step: Step) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            self.tell(f"{step.name:<8} {step.elapsed_s:6.0f} s  … {step.note}")

    def table(self) -> Table:
        """The board as it stands."""
        table = Table.grid(padding=(0, 2))
        for step in self.steps.values():
            table.add_row(*self._row(step))
        return table

    @staticmethod
    def _row(step: Step) -> tuple[Spinner | Text, str, Text, Text]:
        marks = {
            StepState.WAITING: Text("·", style="dim"),
            StepState.DONE: Text("✓", style="green"),
            StepState.FAILED: Text("✗", style="red"),
        }
        mark = marks.get(step.state) or Spinner("dots", style="cyan")
        seconds = "" if step.state is StepState.WAITING else f"{step.elapsed_s:.1f} s"
        return mark, step.name, Text(seconds, justify="right"), Text(step.note, style="dim")
