"""What a run came to, for people."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence

from support.chaos.run import Report

__all__ = ["table", "telling"]

COLUMNS = (
    "seed", "minutes", "faults", "posts", "recognised", "degraded", "dead", "buried", "stall s", "still s",
    "worker ready s", "works s", "engine heals s", "broken",
)  # fmt: skip


def table(reports: Sequence[Report]) -> str:
    """One row a seed."""
    rows = [COLUMNS, *(_row(each) for each in reports)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows
    )


def telling(report: Report) -> str:
    """One run in a few lines: what was broken how often, and what is wrong."""
    lines = [f"seed {report.run.seed}, load {report.load:.1f}, {report.samples} looks"]
    lines += [f"  {times:3} × {what}" for what, times in sorted(report.faults.items())]
    lines += [f"  not broken: {what}: {why}" for what, why in report.not_broken.items()]
    by_themselves = Counter(report.by_themselves)
    lines += [f"  {times:3} × {what}" for what, times in by_themselves.items()]
    lines += [f"  {report.recovery.disturbed:3} recoveries disturbed, not measured"]
    lines += [
        f"  {report.given_twice:3} acknowledged posts forgotten by the broker, their places given again"
    ]
    lines += [f"  buried though good: {times} ({why})" for why, times in report.outcome.buried.items()]
    lines += [f"  BROKEN: {each}" for each in report.violations]
    return "\n".join(lines)


def _row(report: Report) -> tuple[str, ...]:
    outcome, recovery = report.outcome, report.recovery
    return (
        str(report.run.seed),
        f"{report.run.minutes:g}",
        str(sum(report.faults.values())),
        str(outcome.posts),
        str(outcome.recognised),
        str(outcome.degraded),
        str(outcome.dead),
        str(sum(outcome.buried.values())),
        f"{report.stall_s:.1f}",
        f"{report.still_s:.1f}",
        _middle_and_most(recovery.worker_ready_s),
        _middle_and_most(recovery.worker_works_s),
        _middle_and_most(recovery.engine_heals_s),
        str(len(report.violations)),
    )


def _middle_and_most(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.1f}/{max(values):.1f}" if values else "-"
