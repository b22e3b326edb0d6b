"""A minute and a quarter of `make chaos`: kills, freezes, cut links, storms, a full disk, stepped clocks.

SAKE_CHAOS_SEED repeats a run, SAKE_CHAOS_MINUTES makes it longer.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import pytest
from support.chaos.report import table, telling
from support.chaos.run import Run, run_chaos

MINUTES = float(os.environ.get("SAKE_CHAOS_MINUTES") or 1.25)
SETTLE_S = 600
"""For starting, a backlog and the verdict, on a busy machine."""

pytestmark = [pytest.mark.faults, pytest.mark.timeout(MINUTES * 60 + SETTLE_S)]


async def test_every_post_has_one_outcome_whatever_is_broken(tmp_path: Path) -> None:
    seed = int(os.environ.get("SAKE_CHAOS_SEED") or secrets.randbits(32))
    report = await run_chaos(Run(seed, MINUTES), tmp_path)
    print(telling(report))
    print(table([report]))
    assert report.outcome.posts > 500
    assert report.violations == ()
