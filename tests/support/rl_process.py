"""One of several processes of a run: `torchrun … rl_process.py PICTURES OUT SCRIPT`."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

from support.rl import PLAN, SETUP, Scripted, lopsided, pictured, script
from support.secot import search_of

from training.base import tiny_base
from training.rl.run import run_rl

if __name__ == "__main__":
    says = {each.__name__: each for each in (script, lopsided)}[sys.argv[3]]
    asyncio.run(
        run_rl(
            tiny_base,
            pictured(Path(sys.argv[1]), 5),
            SETUP,
            search_of(),
            plan=replace(PLAN, steps=1),
            out=Path(sys.argv[2]),
            sampler_of=lambda policy: Scripted(policy, says),
        )
    )
