"""A stranger's internet around one picture fetch."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from support.inside import Net, inside, opened
from support.name_server import name_server
from support.picture_host import picture_host


@pytest.fixture
async def net() -> AsyncIterator[Net]:
    async with picture_host() as host, inside(host.port) as inner, name_server() as names:
        async with opened(host.port, names) as source:
            yield Net(host, inner, names, source)
        assert inner.visits == 0
