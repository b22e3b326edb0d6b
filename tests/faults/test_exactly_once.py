"""Every post exactly once, whatever dies: in the manner of Kafka's own streams_eos_test.

SAKE_FAULT_SEED repeats a run's posts and moments.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from support.fault_run import FaultPlan, run_faults
from support.kafka import Kafka

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]


async def test_every_post_once_through_ten_kills_and_three_broker_restarts(
    kafka: Kafka, tmp_path: Path
) -> None:
    plan = FaultPlan(posts=20_000, kills=10, broker_restarts=3, max_wait_ms=200)
    assert await run_faults(kafka, plan, tmp_path) == []
