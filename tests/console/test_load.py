"""500 posts a second do not freeze the page. Two minutes of it: `tests/bench/console_page.py`."""

from __future__ import annotations

import re
from typing import Any

import pytest
from support.console_load import POSTS_PER_S, SHOWN_PER_S, answering_under_load

GOAL_MS = 100
# Browser, console and stream on two cores and nothing else: below 2. Measured at 15 with eight others.
MOST_SLOWNESS = 4


@pytest.mark.timeout(300)
def test_the_page_answers_while_500_posts_a_second_pass(browser: Any) -> None:
    told = answering_under_load(browser, seconds=15)
    assert told.posts_per_s > 0.9 * POSTS_PER_S
    assert told.shown_per_s <= SHOWN_PER_S * 1.1
    assert re.fullmatch(r"showing \d+(\.\d)? of (4[5-9]\d|5[0-4]\d) a second", told.share)
    assert told.elements < 12_000
    assert told.page_cores < 0.3
    # By the clock, where the page is given the time that it needs: on a core that many others share, it
    # measures them.
    if told.slowness < MOST_SLOWNESS:
        assert told.p95(told.loaded_ms) <= GOAL_MS, told
