"""Two minutes of 500 posts a second on the console, and how soon its page answers a key.

.venv/bin/python tests/bench/console_page.py [--seconds 120] [--json]
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import runpy
import sys
from pathlib import Path

import orjson

runpy.run_path(str(Path(__file__).parents[1] / "conftest.py"))

from support.browser import launched
from support.console_load import answering_under_load


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with launched() as browser:
        told = answering_under_load(browser, options.seconds)
    idle, loaded = told.idle_ms, told.loaded_ms
    late = sum(answer > 100 for answer in loaded)
    if options.json:
        print(orjson.dumps({**dataclasses.asdict(told), "load": os.getloadavg()}).decode())
        return 0
    print(f"stream     {told.posts_per_s:.0f} posts/s, {options.seconds:.0f} s; the page: {told.share}")
    print(f"idle       median {idle[len(idle) // 2]:.0f} ms, p95 {told.p95(idle):.0f} ms, {len(idle)} keys")
    print(f"loaded     median {loaded[len(loaded) // 2]:.0f} ms, p95 {told.p95(loaded):.0f} ms")
    print(f"           longest {loaded[-1]:.0f} ms; {late} of {len(loaded)} keys later than 100 ms")
    print(f"page       {told.page_cores:.2f} cores, {told.slowness:.1f} times as long by the clock")
    print(f"           {told.elements} elements; longest task {told.longest_task_ms:.0f} ms")
    print(f"console    {told.server_cores:.2f} cores with its stream, {told.server_mib:.0f} MiB resident")
    print(f"load       {' '.join(f'{load:.1f}' for load in os.getloadavg())}")
    return 0 if told.p95(loaded) <= 100 else 1


if __name__ == "__main__":
    sys.exit(main())
