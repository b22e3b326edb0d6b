"""Real workers under fire, judged by somebody who shares no code with them.

    make chaos                                  5 seeds of 30 minutes
    SAKE_CHAOS_MINUTES=1 make chaos             the same, shorter
    python tests/faults/chaos.py --seeds 7 --minutes 5 --out /tmp/fire

Prints a table and the timeline of what went wrong, writes `report.json` a seed, and ends with 1 when the
invariant was broken.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import runpy
import sys
import tempfile
from pathlib import Path

runpy.run_path(str(Path(__file__).parents[1] / "conftest.py"))  # makes `support` importable

from support.chaos.report import table, telling
from support.chaos.run import Run, run_chaos

SEEDS = (1, 2, 3, 4, 5)
MINUTES = 30.0


def main() -> int:
    options = arguments()
    folder = options.out or Path(tempfile.mkdtemp(prefix="chaos-"))
    reports = []
    for seed in options.seeds:
        run = Run(seed, options.minutes, options.rate)
        reports.append(asyncio.run(run_chaos(run, folder / f"seed-{seed}")))
        print(telling(reports[-1]), flush=True)
    print(table(reports))
    print(f"logs and reports: {folder}")
    return int(any(report.violations for report in reports))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    seeds = [int(each) for each in os.environ.get("SAKE_CHAOS_SEED", "").split(",") if each] or SEEDS
    parser.add_argument("--seeds", type=int, nargs="+", default=seeds, help="SAKE_CHAOS_SEED=1,2")
    minutes = float(os.environ.get("SAKE_CHAOS_MINUTES") or MINUTES)
    parser.add_argument("--minutes", type=float, default=minutes, help="of each; SAKE_CHAOS_MINUTES")
    parser.add_argument("--rate", type=float, default=20.0, help="posts a second, outside of bursts")
    parser.add_argument("--out", type=Path, help="folder for logs and reports")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
