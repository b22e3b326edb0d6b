"""A process that calls a provider as often as the shared quota lets it, and writes down when.

    python -m support.quota_worker ORDERS      (with tests/ on the path)

Every line of its output is the moment at which the provider counted a call, on the machine's monotonic
clock, which all processes share.
"""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from sake_model.search.limits import ProviderLimits, Rate
from sake_model.search.shared.connect import open_shared
from sake_model.search.shared.limits import SharedConfig, SharedLimits
from sake_model.search.window import Place, SlidingWindow

__all__ = ["QuotaOrders", "start_quota_worker", "worst_window"]

TESTS = Path(__file__).parents[1]
SILENT_SHARE = 0.1
"""Of the calls is never answered; the provider has counted them all the same."""


class QuotaOrders(msgspec.Struct, frozen=True, kw_only=True):
    """What the process is told."""

    url: str
    member: str
    workers: int
    calls: int
    period_s: float
    answer_within_s: float = 1.0
    lease_s: float = 1.5
    timeout_s: float = 1.0


def start_quota_worker(orders: QuotaOrders, seconds: float) -> subprocess.Popen[str]:
    """It stops by itself after so many seconds."""
    return subprocess.Popen(
        [sys.executable, "-m", "support.quota_worker", msgspec.json.encode(orders).decode(), str(seconds)],
        stdout=subprocess.PIPE,
        cwd=TESTS,
        text=True,
        env={"PYTHONPATH": f"{TESTS}:{TESTS.parent}"},
    )


def worst_window(counted_s: list[float], period_s: float) -> int:
    """The most calls in any half-open window of the period."""
    counted_s = sorted(counted_s)
    first = most = 0
    for last, at_s in enumerate(counted_s):
        while counted_s[first] <= at_s - period_s:
            first += 1
        most = max(most, last - first + 1)
    return most


async def work(orders: QuotaOrders, seconds: float) -> None:
    rate = Rate(orders.calls, orders.period_s)
    limits = ProviderLimits(rates=(rate,), timeout_s=orders.answer_within_s)
    times = SharedLimits(heartbeat_s=0.1, lease_s=orders.lease_s, timeout_s=orders.timeout_s)
    config = SharedConfig(url=orders.url, member=orders.member, workers=orders.workers, limits=times)
    shared = open_shared(config, (limits,))
    window = SlidingWindow(
        (rate,),
        transit_s=limits.transit_s,
        ledger=shared.ledger,
        name="brave",
        answer_within_s=orders.answer_within_s,
    )
    resting_until_s = 0.0

    def hear(word: object) -> None:
        nonlocal resting_until_s
        resting_until_s = time.monotonic() + getattr(word, "pause_s", 0.0)

    shared.ledger.listen("brave", hear)
    calling: set[asyncio.Task[None]] = set()
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        try:
            async with asyncio.timeout(until_s - time.monotonic()):
                place = await window.enter()
        except TimeoutError:
            break
        if resting_until_s > time.monotonic():  # as the gate does
            window.give_back(place)
            await asyncio.sleep(0.05)
            continue
        task = asyncio.create_task(call(window, place))
        calling.add(task)
        task.add_done_callback(calling.discard)
        await asyncio.sleep(0)
    await asyncio.gather(*calling)
    await shared.close()


async def call(window: SlidingWindow, place: Place) -> None:
    await asyncio.sleep(random.uniform(0.0, 0.05))
    print(time.monotonic(), flush=True)
    if random.random() > SILENT_SHARE:
        window.answered(place)


if __name__ == "__main__":
    asyncio.run(work(msgspec.json.decode(sys.argv[1], type=QuotaOrders), float(sys.argv[2])))
