"""One chaos run: a seed and a length in, a verdict out. Nothing of the project is imported."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from support.chaos.arena import GROUP, Arena, arena, cannot_break
from support.chaos.faults import Recovery, carry_out
from support.chaos.plan import plan
from support.chaos.verdict import Outcome, longest_stall_s, outcome_of
from support.chaos.witness import Witness

__all__ = ["MOST_STUCK_S", "Report", "Run", "run_chaos"]

WORKERS = ("a", "b")
MOST_STUCK_S = 30.0
FINISH_S = 120.0
"""For what is left after the last fault: a burst's backlog. A stuck partition shows as a stall."""
QUIET_S = 3.0
"""Nothing new is committed for so long, and nothing is left."""


@dataclass(frozen=True, slots=True)
class Run:
    """What is asked for."""

    seed: int
    minutes: float
    posts_a_second: float = 20.0


@dataclass(frozen=True, slots=True)
class Report:
    """What came of it."""

    run: Run
    outcome: Outcome
    stall_s: float
    """The longest time in which a partition with posts stood still and nothing was broken."""
    still_s: float
    """The same with faults included: what was broken kept posts waiting for so long."""
    recovery: Recovery
    faults: dict[str, int]
    by_themselves: tuple[str, ...]
    """What ended or started without a fault that did it, oldest first."""
    violations: tuple[str, ...]
    samples: int
    given_twice: int
    """Places that the broker gave to a second post: it forgot a post that it had acknowledged."""
    load: float
    not_broken: dict[str, str]
    timeline: tuple[tuple[float, float, str], ...]

    def save(self, path: Path) -> None:
        """As JSON."""
        path.write_text(json.dumps(asdict(self), indent=1))


async def run_chaos(run: Run, folder: Path) -> Report:
    """Runs it. `folder` gets every log, the broker's data and `report.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    faults = plan(run.seed, run.minutes * 60, WORKERS, frozenset(cannot_break()))
    async with arena(folder, run.posts_a_second, WORKERS, run.seed) as one:
        witness = Witness(one.bootstrap, GROUP, one.topics)
        feeding = asyncio.create_task(one.feed.run())
        beside = [asyncio.create_task(witness.run()), asyncio.create_task(one.watch())]
        try:
            began_s = time.monotonic()
            recovery = await carry_out(one, faults)
            await one.feed.settled()
            feeding.cancel()
            await _finished(one, witness)
        finally:
            for task in (feeding, *beside):
                task.cancel()
            await asyncio.gather(feeding, *beside, return_exceptions=True)
        report = await _judged(run, one, witness, recovery, began_s)
    report.save(folder / "report.json")
    return report


async def _finished(one: Arena, witness: Witness) -> None:
    """Waits until everything is committed, or for as long as a verdict needs to say that it is not."""
    until_s = time.monotonic() + FINISH_S
    while time.monotonic() < until_s:
        await asyncio.sleep(1.0)
        last = witness.samples[-1] if witness.samples else None
        if last and all(last.committed.get(number, 0) == end for number, end in last.ends.items()):
            break
    await asyncio.sleep(QUIET_S)
    one.expected_down.update(process.name for process in one.workers.values())


async def _judged(run: Run, one: Arena, witness: Witness, recovery: Recovery, began_s: float) -> Report:
    found, reader = await witness.read_all()
    committed = await witness.committed()
    await witness.close()
    outcome = outcome_of(found, one.topics, committed, one.feed.given_twice)
    intervals = [(event.at_s, event.ends_s) for event in one.timeline]
    stall_s = longest_stall_s(witness.samples, intervals)
    violations = [*outcome.wrong, *witness.violations]
    violations += [
        f"{place.topic}[{place.partition}] has {len(tail.open)} transactions that never ended"
        for place, tail in reader.tails.items()
        if tail.open
    ]
    if stall_s > MOST_STUCK_S:
        violations.append(f"a partition stood still for {stall_s:.1f} s with nothing broken")
    planned = Counter(" ".join(e.what.split()[:4]) for e in one.timeline if e.planned)
    timeline = sorted((e.at_s - began_s, e.ends_s - began_s, e.what) for e in one.timeline)
    return Report(
        run=run,
        outcome=outcome,
        stall_s=stall_s,
        still_s=longest_stall_s(witness.samples, []),
        recovery=recovery,
        faults=dict(planned),
        by_themselves=tuple(e.what for e in one.timeline if not e.planned),
        violations=tuple(violations),
        samples=len(witness.samples),
        given_twice=len(one.feed.given_twice),
        load=os.getloadavg()[0],
        not_broken=cannot_break(),
        timeline=tuple(timeline),
    )
