"""A real Chromium for the console's tests, and a console that runs beside it in a thread.

The browser is one of the machine's own: named by TEST_BROWSER, else found on the PATH.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest

from workers.console.access import Access
from workers.console.app import console_app, console_server
from workers.console.hub import Hub
from workers.console.previews import Previews
from workers.fetch.limits import FetchLimits

__all__ = ["Served", "launched", "served"]

VARIABLE = "TEST_BROWSER"
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
HOW = (
    f"no Chromium on this machine: install one (Debian: `apt-get install chromium-headless-shell`) "
    f"or name its program in {VARIABLE}"
)

Result = TypeVar("Result")


def browser_path() -> str:
    """The browser's program; skips the test where there is none."""
    found = os.environ.get(VARIABLE) or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(HOW)
    return found


@contextmanager
def launched() -> Iterator[Any]:
    """The browser (playwright's `Browser`), for tests that run in no event loop."""
    path = browser_path()
    sync_api = pytest.importorskip("playwright.sync_api")
    # Chromium's sandbox needs a user; a container's tests often run as root, on our own pages.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=arguments)
        try:
            yield browser
        finally:
            browser.close()


class Served:
    """A console in a thread of its own; what touches its hub is run there."""

    def __init__(self, shown_per_s: float, port: int) -> None:
        self._shown_per_s = shown_per_s
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._serve()))
        self.port = 0
        self.hub: Hub

    @property
    def address(self) -> str:
        """Of the page."""
        return f"http://127.0.0.1:{self.port}/"

    def do(self, action: Callable[[Hub], Result]) -> Result:
        """Runs this with the hub, in the console's loop; its result."""

        async def run() -> Result:
            return action(self.hub)

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(20)

    def start(self) -> None:
        """Serves from now on."""
        self._thread.start()
        assert self._ready.wait(20)

    def stop(self) -> None:
        """Serves no more."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)
        self._loop.close()

    async def _serve(self) -> None:
        self.hub = Hub(shown_per_s=self._shown_per_s)
        previews = Previews(FetchLimits(), from_urls=False)
        app = console_app(self.hub, Access("127.0.0.1"), previews, clients=8)
        async with console_server(app, "127.0.0.1", self._port) as self.port:
            self.hub.panel("broker", {"state": "ok", "why": "", "address": "127.0.0.1:9092"})
            self._ready.set()
            await self._stop.wait()
        await previews.close()


@contextmanager
def served(*, shown_per_s: float = 100, port: int = 0) -> Iterator[Served]:
    """A console without a broker: the test is its stream. Figures stand still unless the test sets them."""
    one = Served(shown_per_s, port)
    one.start()
    try:
        yield one
    finally:
        one.stop()
