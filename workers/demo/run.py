"""One run of the demo: start, replay, watch, sum up, stop."""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, AsyncExitStack, aclosing, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.live import Live

from schemas.deadletters import DeadLetter
from schemas.errors import EngineError
from schemas.recognitions import ModelRef, Recognition
from workers.commands.running import stop_requested
from workers.demo.board import Board
from workers.demo.judgement import judged
from workers.demo.live import LiveParts, flow, of_now, start_live
from workers.demo.material import Material
from workers.demo.screen import dead_letter_lines, post_lines, status_line, summary_table
from workers.demo.services import Services, started
from workers.demo.tally import Tally
from workers.demo.together import together
from workers.outputs import follow_outputs
from workers.rates import Pace
from workers.replaying.sending import open_producer, replay, streamed
from workers.settings import Settings

__all__ = ["Demo", "DemoOptions", "DemoResult", "DemoStuck"]

# The worker gives each post its deadline and may try three times; silence longer than all of
# that means that something is stuck.
MARGIN_S = 60.0


class DemoStuck(EngineError):
    """Posts went in and nothing came out."""


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """How a run goes."""

    pace: Pace = field(default_factory=Pace)
    """How fast posts go in."""
    keep: bool = False
    """Start trends, mentions and the console, too, and let the stream go on until it is stopped."""


@dataclass(slots=True)
class DemoResult:
    """What came out."""

    tally: Tally
    seconds: float = 0.0
    """From the first post sent to the last record read."""
    start_s: float = 0.0
    """From the call until everything was ready."""
    engine: str = ""
    recognitions: dict[str, Recognition] = field(default_factory=dict)
    """By post id."""


@dataclass(slots=True)
class Screen:
    """The live part below what scrolls by."""

    board: Board
    status: Callable[[], str] | None = None

    def __rich__(self) -> RenderableType:
        """The board while things start, the counts afterwards."""
        return self.board.table() if self.status is None else Group("", self.status())


class Demo:
    """One run."""

    def __init__(
        self,
        settings: Settings,
        model: ModelRef,
        material: Material,
        *,
        options: DemoOptions,
        console: Console,
    ) -> None:
        """`model` is the checkpoint that the settings choose; `console` is where it all is shown."""
        self._settings = settings
        self._model = model
        self._material = material
        self._options = options
        self._console = console
        self._screen = Screen(Board(tell=(lambda _: None) if console.is_terminal else console.print))
        self._result = DemoResult(Tally(expected=len(material.lines)))

    async def run(self) -> DemoResult:
        """Plays the material. Raises OperatorError, NetworkError, DemoStuck; leaves nothing running."""
        began_s = time.monotonic()
        with self._live():
            async with (
                started(self._settings, self._model.name, self._screen.board) as services,
                AsyncExitStack() as stack,
            ):
                self._result.start_s = time.monotonic() - began_s
                self._result.engine = services.engine.model
                if self._console.is_terminal:
                    self._console.print(self._screen.board.table())
                self._console.print(f"\n{self._material.name} → {services.topics.posts}\n", style="bold")
                live = await start_live(self._settings, services, stack) if self._options.keep else None
                if live is not None:
                    self._console.print(
                        f"The console: {live.console.address}\n", style="bold", highlight=False
                    )
                await self._play(services)
                self._screen.status = None
                self._screen.board = Board()
                self._console.print(self._summary())
                if live is not None:
                    await self._keep(services, live)
        return self._result

    def _live(self) -> AbstractContextManager[object]:
        if not self._console.is_terminal:
            return nullcontext()
        return Live(self._screen, console=self._console, refresh_per_second=8, transient=True)

    async def _play(self, services: Services) -> None:
        """Sends everything and reads until everything has come out."""
        tally, began_s = self._result.tally, time.monotonic()
        self._screen.status = lambda: status_line(tally, time.monotonic() - began_s)
        async with together() as group:
            sending = group.create_task(self._send(services))
            await self._watch(services)
            await sending
        self._result.seconds = time.monotonic() - began_s

    async def _send(self, services: Services) -> None:
        async with open_producer(services.connection) as producer:
            await replay(
                streamed(of_now(self._material.lines) if self._options.keep else self._material.lines),
                producer,
                topic=services.topics.posts,
                source="sake-demo",
                pace=self._options.pace,
            )

    async def _watch(self, services: Services) -> None:
        """Shows every record as it comes. Raises DemoStuck, and OperatorError when worker or broker ends."""
        post = self._settings.post
        patience_s = post.deadline_s * post.max_attempts + MARGIN_S
        last_s = time.monotonic()
        async with aclosing(
            follow_outputs(services.connection, services.topics, services.partitions)
        ) as records:
            async for record in records:
                services.check()
                if record is not None:
                    last_s = time.monotonic()
                    self._show(record)
                    if self._result.tally.complete:
                        return
                elif time.monotonic() - last_s > patience_s:
                    raise DemoStuck(f"no record for {patience_s:.0f} s; look at {self._settings.logs}")

    def _show(self, record: Recognition | DeadLetter) -> None:
        tally = self._result.tally
        if isinstance(record, DeadLetter):
            tally.bury(record)
            self._console.print(dead_letter_lines(tally.finished, record))
            return
        tally.add(record)
        self._result.recognitions[record.post_id] = record
        post = self._material.posts.get(record.post_id)
        if post is not None:
            self._console.print(post_lines(tally.finished, post, record))

    def _summary(self) -> RenderableType:
        model = self._model
        facts = judged(self._material, self._result.recognitions, self._result.tally)
        facts["checkpoint"] = f"{model.name}, {model.digest[:19]}…; prompts {model.prompts_digest[:19]}…"
        return summary_table(self._result.tally, self._result.seconds, facts)

    async def _keep(self, services: Services, live: LiveParts) -> None:
        """Lets the stream go on until the command is stopped. Raises OperatorError when a worker ends."""
        console = live.console
        self._console.print(kept(services.variables, console.address, services.engine_url), highlight=False)
        work = asyncio.ensure_future(flow(services, tuple(self._material.posts.values()), live))
        stop = asyncio.ensure_future(stop_requested())
        await asyncio.wait({work, stop, console.work}, return_when=asyncio.FIRST_COMPLETED)
        self._console.print("stopping")
        for task in (work, stop):
            task.cancel()
        for ended in await asyncio.gather(work, stop, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended


def kept(variables: dict[str, str], console: str, engine: str) -> str:
    """What can be done while everything keeps running, as markup. No line is wider than a terminal."""
    sake = Path(sys.argv[0]).name if shutil.which(Path(sys.argv[0]).name) else sys.argv[0]
    exports = "\n".join(f"  export {name}={value}" for name, value in variables.items())
    return (
        f"\nThe posts come again, in waves: look at [bold]{console}[/]\n"
        "Everything keeps running; Ctrl-C stops it.\n\n"
        f"In another terminal, for example:\n{exports}\n"
        f"  {sake} topics list\n"
        f"  {sake} replay FILE\n\n"
        f"The model server: {engine}"
    )
