"""Decodes files in a process of its own, and tells of each what it ended as and what it cost.

    python decode_bombs.py FOLDER [THREADS]

One JSON line a file, in the order of their names: `{"name", "reason", "cpu_s", "peak_mb"}`. With THREADS,
every file is decoded by so many threads at once.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sake_model.grounding import ResizeLimits
from sake_model.pictures import PictureError, prepare

# What SAKE-7B wants: the largest that a checkpoint asks for.
SIZE = ResizeLimits(min_pixels=512 * 512, max_pixels=2 * 672 * 672)


def main(folder: Path, threads: int) -> None:
    prepare((folder / "warm").read_bytes(), SIZE)  # what Pillow loads once is not counted
    for path in sorted(folder.glob("[0-9]*")):
        data = path.read_bytes()
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        before_kb, started_s = memory_kb("VmRSS"), time.process_time()
        with ThreadPoolExecutor(threads) as pool:
            (reason,) = set(pool.map(decoded, [data] * threads))
        cost = {"cpu_s": time.process_time() - started_s, "peak_mb": (memory_kb("VmHWM") - before_kb) / 1e3}
        print(json.dumps({"name": path.name, "reason": reason, **cost}), flush=True)


def decoded(data: bytes) -> str:
    try:
        prepare(data, SIZE)
    except PictureError as error:
        return error.reason.value
    return ""


def memory_kb(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1])


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1)
