"""Picture hosts that do not want to send a picture: each ends in time, with its reason, in little memory."""

from __future__ import annotations

import asyncio
import time
import tracemalloc

import pytest
from support.picture_host import PICTURE
from support.raw_host import ENDS, raw_host

from sake_model.deadline import Deadline
from schemas.posts import ImageSource
from workers.fetch import FetchError, FetchLimits, PictureSource

TOTAL_S = 0.6
MAX_BYTES = 300_000
# Ten times a picture: what a connection, its buffers and the server beside it need.
MOST_BYTES = 10 * MAX_BYTES


@pytest.mark.parametrize("name", ENDS)
async def test_it_ends_in_time_and_in_little_memory(name: str) -> None:
    async with raw_host() as host:
        host.behaviour, reasons = ENDS[name]
        ends = reasons.split(" or ")
        limits = FetchLimits(
            ports=(host.port,),
            allow_networks=("127.0.0.1/32",),
            total_s=TOTAL_S,
            silence_s=TOTAL_S / 3,
            attempts=1,
            max_bytes=MAX_BYTES,
        )
        source = PictureSource(limits)
        tracemalloc.start()
        started_s = time.monotonic()
        try:
            async with source.load(
                ImageSource(url=f"http://127.0.0.1:{host.port}/a.png"), Deadline.after(60)
            ) as data:
                assert "" in ends
                assert PICTURE.startswith(data)
        except FetchError as error:
            assert str(error.reason) in ends  # noqa: PT017 - one table for what comes and what does not
        finally:
            peak_bytes = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            await source.close()
        assert time.monotonic() - started_s < TOTAL_S + 30  # a busy machine's patience, not for ever
        assert peak_bytes < MOST_BYTES
        async with asyncio.timeout(60):
            while host.open:  # nothing is left behind
                await asyncio.sleep(0.01)
