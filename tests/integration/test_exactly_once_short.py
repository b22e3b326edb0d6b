"""The fault run of tests/faults, short enough for every day."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.fault_run import FaultPlan, run_faults
from support.kafka import Kafka

pytestmark = pytest.mark.integration


async def test_every_post_once_though_worker_and_broker_die(kafka: Kafka, tmp_path: Path) -> None:
    plan = FaultPlan(posts=2_000, kills=3, broker_restarts=1, max_wait_ms=250)
    assert await run_faults(kafka, plan, tmp_path) == []
