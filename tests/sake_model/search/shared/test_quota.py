"""Processes that share a server never pass a provider's limit together, whatever becomes of the server."""

import asyncio

import pytest
from support.cut_line import line_to
from support.quota_worker import QuotaOrders, start_quota_worker, worst_window
from support.valkey import Valkey

WORKERS = 4


def orders(url, number, calls=20, **other):
    return QuotaOrders(url=url, member=f"w{number}", workers=WORKERS, calls=calls, period_s=1.0, **other)


async def counted_by(*processes):
    """When the provider counted the calls of all."""
    told = await asyncio.gather(*(asyncio.to_thread(each.communicate) for each in processes))
    assert all(each.returncode == 0 for each in processes)
    return [[float(line) for line in out.splitlines()] for out, _ in told]


async def test_four_processes_together_keep_to_the_rate():
    with Valkey() as server:
        quick = {"answer_within_s": 0.5, "lease_s": 1.0, "timeout_s": 0.5}
        started = [start_quota_worker(orders(server.url, number, **quick), 5.0) for number in range(WORKERS)]
        counted = await counted_by(*started)
    together = [at_s for each in counted for at_s in each]
    assert all(counted)
    assert worst_window(together, 1.0) <= 20


@pytest.mark.faults
@pytest.mark.timeout(300)
async def test_no_outage_of_the_server_or_of_one_line_lets_more_through():
    """One line is cut and mended, then the server is killed and comes back with nothing."""
    with Valkey() as server:
        async with line_to(server.port) as line:
            seconds = 44.0
            started = [
                start_quota_worker(orders(server.url, number), seconds) for number in range(WORKERS - 1)
            ]
            apart = start_quota_worker(orders(f"redis://127.0.0.1:{line.port}/0", WORKERS - 1), seconds)
            counting = asyncio.create_task(counted_by(*started, apart))
            begun_s = asyncio.get_running_loop().time()
            steps = ((8, line.cut_off), (17, line.mend), (25, server.kill), (34, server.start))
            for at_s, step in steps:
                await asyncio.sleep(begun_s + at_s - asyncio.get_running_loop().time())
                step()
            counted = await counting
    together = sorted(at_s for each in counted for at_s in each)
    assert worst_window(together, 1.0) <= 20
    begin_s = together[0]
    phases = {
        name: sum(begin_s + since_s <= at_s < begin_s + until_s for at_s in together)
        for name, since_s, until_s in (("whole", 6, 7), ("alone", 32, 33), ("healed", 41, 42))
    }
    cut_off = [at_s for at_s in counted[-1] if begin_s + 15 <= at_s < begin_s + 16]
    print(phases, "cut off:", len(cut_off))
    assert phases["alone"] > 0  # on with the shares …
    assert len(cut_off) > 0  # … also while only one is alone …
    assert phases["healed"] > 0  # … and with the whole when it is back
