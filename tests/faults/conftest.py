"""A broker for every test that asks for `kafka`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.kafka import Kafka, running_kafka


@pytest.fixture
async def kafka(tmp_path: Path) -> AsyncIterator[Kafka]:
    async with running_kafka(tmp_path / "broker") as one:
        yield one
