"""Draws the README's picture of the console: our own posts with their gold as answers, no model.

.venv/bin/python tests/console/draw_readme.py PICTURE.webp
"""

from __future__ import annotations

import io
import itertools
import runpy
import sys
import time
from functools import partial
from pathlib import Path

runpy.run_path(str(Path(__file__).parents[1] / "conftest.py"))

import msgspec
from PIL import Image
from support.browser import launched, served
from support.console_states import FIGURES, STREAM, full
from support.console_stream import NOW

from workers.console.hub import Hub

NAMES = ("derby", "the-person", "sunset", "three-flags", "nasa-shirt", "nike", "spotify", "golden-gate")
POSTS = [next(shown for shown in STREAM if name in shown.post.id) for name in NAMES]
POSTS_PER_S, SHOWN_PER_S = 497, 4
SECONDS = 7.0
numbers = itertools.count()


def some(hub: Hub, which: int, count: int) -> None:
    """So many posts, all like this one: the sample then shows each once."""
    shown = POSTS[which % len(POSTS)]
    for _ in range(count):
        id_ = f"{shown.post.id}-{next(numbers)}"
        hub.post(msgspec.structs.replace(shown.post, id=id_))
        hub.recognition(msgspec.structs.replace(shown.recognition, post_id=id_, recognised_at=NOW), 900)


def main() -> None:
    with launched() as browser, served(shown_per_s=SHOWN_PER_S) as console:
        console.do(full)
        page = browser.new_page(
            viewport={"width": 1440, "height": 900},
            device_scale_factor=1.5,
            timezone_id="UTC",
            locale="en-GB",
        )
        page.goto(console.address)
        page.wait_for_selector(".row")
        began_s, sent = time.monotonic(), 0
        for tick in itertools.count(1):
            passed_s = time.monotonic() - began_s
            due = int(passed_s * POSTS_PER_S) - sent
            sent += due
            console.do(partial(some, which=tick, count=due))
            if tick % SHOWN_PER_S == 0:
                console.do(lambda hub: hub.panel("pulse", dict(FIGURES)))
            if passed_s > SECONDS:
                break
            page.wait_for_timeout(max(0.0, tick / SHOWN_PER_S - passed_s) * 1000)
        page.wait_for_timeout(600)
        Image.open(io.BytesIO(page.screenshot())).convert("RGB").save(sys.argv[1], quality=82, method=6)


if __name__ == "__main__":
    main()
