"""One real `vllm serve` for a whole test session, run by the supervisor in a thread of its own."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import threading
from collections.abc import Coroutine
from io import BytesIO
from pathlib import Path
from typing import Any, Self

from PIL import Image, ImageDraw

from sake_model.engine.launcher import EngineServer, SupervisorLimits
from sake_model.engine.serve_options import ServeOptions
from sake_model.grounding import Size
from sake_model.pictures import ModelPicture


class ServerThread:
    """The supervisor outlives the event loops of single tests, so it has a loop of its own."""

    def __init__(self, options: ServeOptions, log: Path) -> None:
        self.log = log
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.server = EngineServer(options, log, SupervisorLimits(first_backoff_s=0.2))

    def __enter__(self) -> Self:
        self._thread.start()
        self.run(self.server.__aenter__())
        self.run(self.server.ready())
        return self

    def __exit__(self, *_: object) -> None:
        self.run(self.server.__aexit__(None, None, None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run on the supervisor's loop; its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def processes(self, containing: str) -> list[int]:
        """Ids of this user's processes of the server's session whose command line contains the text."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                try:
                    line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    environment = (entry / "environ").read_bytes()
                except (FileNotFoundError, PermissionError, ProcessLookupError):
                    continue
                if containing in line and f"SAKE_TEST_ENGINE={self.log}".encode() in environment:
                    found.append(int(entry.name))
        return found


def drawn_picture(seed: int, width: int = 224, height: int = 168) -> ModelPicture:
    """A picture of some shapes; another one for another seed."""
    choose = random.Random(seed)
    colour = lambda: tuple(choose.randrange(256) for _ in range(3))  # noqa: E731
    image = Image.new("RGB", (width, height), colour())
    draw = ImageDraw.Draw(image)
    for _ in range(6):
        x, y = choose.randrange(width - 20), choose.randrange(height - 20)
        box = (x, y, x + choose.randrange(10, width // 2), y + choose.randrange(10, height // 2))
        choose.choice((draw.ellipse, draw.rectangle))(box, fill=colour())
    raw = BytesIO()
    image.save(raw, "PNG")
    size = Size(width, height)
    return ModelPicture(raw.getvalue(), "image/png", hashlib.sha256(raw.getvalue()).hexdigest(), size, size)
