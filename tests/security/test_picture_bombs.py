"""No file, however it is made, takes more memory or time than a picture may: in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.bombs import all_bombs, palette_at_the_limit
from support.images import encoded, quadrants

CHILD = Path(__file__).parents[1] / "support" / "decode_bombs.py"

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="measured as Linux tells it"
)

# 9 bytes for each of 33.5 million pixels, 16 for each of a WebP's 16.8 million, and the file itself.
MOST_MB = 350
# The worst are scans of a progressive JPEG: 2.7 s on the machine of these tests. Processor time, so that
# other programs do not count.
MOST_CPU_S = 8.0


def decoded_apart(folder: Path, threads: int = 1) -> list[dict[str, Any]]:
    (folder / "warm").write_bytes(encoded(quadrants(), "WEBP"))
    paths = os.pathsep.join(str(CHILD.parents[1 + up]) for up in (0, 1))
    command = [sys.executable, "-W", "ignore", str(CHILD), str(folder), str(threads)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": paths}
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_every_bomb_ends_with_its_reason_and_within_its_bounds(tmp_path: Path) -> None:
    names, reasons = [], []
    for number, (name, data, reason) in enumerate(all_bombs()):
        (tmp_path / f"{number:03}").write_bytes(data)
        names.append(name)
        reasons.append(reason)
    told = decoded_apart(tmp_path)
    ends = {name: one["reason"] for name, one in zip(names, told, strict=True)}
    assert ends == dict(zip(names, reasons, strict=True))
    greedy = {
        name: one
        for name, one in zip(names, told, strict=True)
        if one["peak_mb"] > MOST_MB or one["cpu_s"] > MOST_CPU_S
    }
    assert greedy == {}


def test_large_pictures_wait_for_each_other(tmp_path: Path) -> None:
    (tmp_path / "000").write_bytes(palette_at_the_limit())
    (alone,) = decoded_apart(tmp_path)
    (together,) = decoded_apart(tmp_path, threads=4)
    assert together["reason"] == alone["reason"] == ""
    # What each thread's allocator keeps of what is smaller than a block is some 40 MB.
    assert together["peak_mb"] < 1.7 * alone["peak_mb"]
