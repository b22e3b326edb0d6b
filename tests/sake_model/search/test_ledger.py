"""Rates hold over restarts and for all processes that share the file."""

import asyncio
import itertools
import logging
import subprocess
import sys

import pytest

from sake_model.search.ledger import Ledger
from sake_model.search.limits import Rate
from sake_model.search.window import SlidingWindow

TWO_A_MINUTE = (Rate(2, 60.0),)


class Clock:
    def __init__(self) -> None:
        self.now_s = 1_000_000_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "search" / "limits.sqlite"


async def take(ledger, calls=1, provider="brave", rates=TWO_A_MINUTE, counted_in_s=5.0):
    return await ledger.take(provider, rates, calls, counted_in_s)


async def test_places_are_counted_over_a_restart(path, clock):
    first = Ledger(path, clock=clock)
    for _ in range(2):
        number, _ = await take(first)
        first.answered(number)
    first.close()
    second = Ledger(path, clock=clock)
    clock.now_s += 59.9
    number, wait_s = await take(second)
    assert (number, wait_s) == (None, pytest.approx(0.1))
    clock.now_s += 0.1
    assert (await take(second))[0]
    second.close()


async def test_two_at_the_same_file_share_the_rate(path, clock):
    one, other = Ledger(path, clock=clock), Ledger(path, clock=clock)
    assert (await take(one))[0]
    assert (await take(other))[0]
    assert (await take(one))[0] is None
    assert (await take(other, provider="serper"))[0]
    one.close()
    other.close()


async def test_who_takes_at_the_same_time_takes_no_more_together(path, clock, caplog):
    ledgers = [Ledger(path, clock=clock) for _ in range(4)]
    rates = (Rate(50, 60.0),)
    taken = await asyncio.gather(*(take(each, rates=rates) for _ in range(100) for each in ledgers))
    for each in ledgers:
        each.close()
    assert sum(number is not None for number, _ in taken) == 50
    assert not caplog.records


async def test_an_unanswered_call_counts_as_late_as_it_may_arrive(path, clock):
    ledger = Ledger(path, clock=clock)
    killed, _ = await take(ledger, calls=2, counted_in_s=5.0)
    assert killed
    _, wait_s = await take(ledger)
    assert wait_s == pytest.approx(65.0)
    ledger.answered(killed)
    _, wait_s = await take(ledger)
    assert wait_s == pytest.approx(60.0)
    ledger.close()


async def test_a_place_given_back_is_free(path, clock):
    ledger = Ledger(path, clock=clock)
    number, _ = await take(ledger, calls=2)
    ledger.give_back(number)
    assert (await take(ledger, calls=2))[0]
    ledger.close()


async def test_every_rate_is_kept(path, clock):
    ledger = Ledger(path, clock=clock)
    rates = (Rate(1, 1.0), Rate(2, 60.0))
    waits_s = []
    for _ in range(3):
        number, wait_s = await take(ledger, rates=rates, counted_in_s=0.0)
        if number is None:
            clock.now_s += wait_s
            waits_s.append(wait_s)
            number, _ = await take(ledger, rates=rates, counted_in_s=0.0)
        assert number
    assert waits_s == [pytest.approx(1.0), pytest.approx(59.0)]
    ledger.close()


async def test_a_clock_that_was_set_back_does_not_lock_it_for_long(path, clock):
    ledger = Ledger(path, clock=clock)
    await take(ledger, calls=2)
    clock.now_s -= 30 * 24 * 3600
    assert (await take(ledger))[0]
    ledger.close()


async def test_a_broken_file_is_begun_anew(path, clock):
    path.parent.mkdir()
    path.write_bytes(b"nothing of ours" * 500)
    ledger = Ledger(path, clock=clock)
    assert (await take(ledger, calls=2))[0]
    assert (await take(ledger))[0] is None
    ledger.close()


async def test_where_nothing_can_be_written_calls_go_on_with_a_warning(tmp_path, clock, caplog):
    (tmp_path / "file").write_text("in the way")
    with caplog.at_level(logging.WARNING):
        ledger = Ledger(tmp_path / "file" / "limits.sqlite", clock=clock)
    assert await take(ledger) == (0, 0.0)
    assert "this process only" in caplog.text
    ledger.close()


async def test_a_cancelled_taker_takes_nothing(path, clock):
    ledger = Ledger(path, clock=clock)
    taking = asyncio.create_task(take(ledger, calls=2))
    await asyncio.sleep(0)
    taking.cancel()
    await asyncio.gather(taking, return_exceptions=True)
    await asyncio.sleep(0.05)
    assert (await take(ledger, calls=2))[0]
    ledger.close()


WORKER = """
import asyncio, random, sys, time
from pathlib import Path
from sake_model.search.ledger import Ledger
from sake_model.search.limits import Rate
from sake_model.search.window import SlidingWindow

async def main():
    ledger = Ledger(Path(sys.argv[1]))
    window = SlidingWindow(
        (Rate(5, 0.2),), transit_s=0.02, ledger=ledger, name="p", answer_within_s=0.1)
    async def call():
        await asyncio.sleep(random.random() * 0.2)
        place = await window.enter()
        print(time.time(), flush=True)
        await asyncio.sleep(random.random() * 0.01)
        window.answered(place)
    await asyncio.gather(*(call() for _ in range(12)))
    ledger.close()

asyncio.run(main())
"""


def test_three_processes_together_keep_one_limit(path):
    processes = [
        subprocess.Popen([sys.executable, "-c", WORKER, str(path)], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    times_s = sorted(float(line) for each in processes for line in each.communicate(timeout=60)[0].split())
    assert len(times_s) == 36
    fullest = max(sum(start <= t < start + 0.2 for t in times_s) for start in times_s)
    assert fullest <= 5


async def test_the_window_waits_for_the_others_calls(path):
    one, other = Ledger(path), Ledger(path)
    rates = (Rate(1, 0.2),)
    windows = [SlidingWindow(rates, ledger=each, name="p") for each in (one, other)]
    loop = asyncio.get_running_loop()
    times_s = []
    for window in windows * 2:
        window.answered(await window.enter())
        times_s.append(loop.time())
    gaps_s = [later - earlier for earlier, later in itertools.pairwise(times_s)]
    assert all(0.19 <= gap_s < 2.0 for gap_s in gaps_s), gaps_s  # a busy machine adds to each
    one.close()
    other.close()
