"""The console under a stream of 500 posts a second, and how soon its page answers a key.

The console and its stream run in a process of their own (`main`); the browser is real. A key is
answered when the frame after it has been painted, counted from the moment of the event itself.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import msgspec
import orjson
from support.console_stream import own_stream

from schemas.codec import decode, decode_post, encode
from schemas.recognitions import Recognition
from workers.console.access import Access
from workers.console.app import beat, console_app, console_server
from workers.console.hub import Hub
from workers.console.previews import Previews
from workers.fetch.limits import FetchLimits

__all__ = ["Answering", "answering_under_load"]

POSTS_PER_S = 500
TICK_S = 0.02
SHOWN_PER_S = 8.0
# What a person does with the page; each pair ends as it began.
KEYS = ("j", "j", "k", "Enter", "Escape", "Escape", "p", "p", "?", "Escape", "t", "4", "1", "g")
BETWEEN_KEYS_MS = 120

TESTS = Path(__file__).parents[1]
BOOTSTRAP = (
    f"import runpy; runpy.run_path({str(TESTS / 'conftest.py')!r})\n"
    "from support.console_load import main; main()"
)
WATCH = """
window.answers = [];
window.longest = 0;
addEventListener("keydown", (event) => {
  requestAnimationFrame(() => {
    const painted = new MessageChannel();
    painted.port1.onmessage = () => window.answers.push(performance.now() - event.timeStamp);
    painted.port2.postMessage(0);
  });
}, true);
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) window.longest = Math.max(window.longest, entry.duration);
}).observe({ type: "longtask" });
"""


@dataclass(frozen=True, slots=True)
class Answering:
    """What was measured; times in milliseconds."""

    idle_ms: tuple[float, ...]
    """Answers of the page while nothing flows, sorted."""
    loaded_ms: tuple[float, ...]
    page_cores: float
    """Processor time of the page's main thread a second: its own work, whatever else the machine does."""
    slowness: float
    """How much longer that work took by the clock: 1 = the thread had a core to itself."""
    longest_task_ms: float
    posts_per_s: float
    """Posts that really went through the console."""
    shown_per_s: float
    share: str
    """What the page itself says."""
    elements: int
    """In the page at the end."""
    server_mib: float
    """Resident memory of console and stream at the end."""
    server_cores: float
    """Processor time of console and stream a second."""

    @staticmethod
    def p95(answers: tuple[float, ...]) -> float:
        """The answer that 95 of 100 keys get at the latest."""
        return answers[min(len(answers) - 1, int(0.95 * len(answers)))]


def answering_under_load(browser: Any, seconds: float) -> Answering:
    """Opens the page, presses keys while nothing flows, then for so long while the stream does."""
    with process() as (console, address):
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.add_init_script(WATCH)
        page.goto(address)
        page.wait_for_selector("#link[data-state=live]")
        idle = pressed(page, until_s=time.monotonic() + min(5.0, seconds / 3))
        began = told(console, "go")
        began_s = time.monotonic()
        page.evaluate("window.longest = 0")
        work = MainThread(page)
        loaded = pressed(page, until_s=began_s + seconds)
        page_cores, slowness = work.since()
        ended, passed_s = told(console, "tell"), time.monotonic() - began_s
        newest = page.evaluate(
            "Math.max(...[...document.querySelectorAll('.row')].map((row) => row.dataset.n))"
        )
        assert newest > ended["posts"] * 0.8  # it is the present that is shown
        return Answering(
            idle_ms=idle,
            loaded_ms=loaded,
            page_cores=page_cores,
            slowness=slowness,
            longest_task_ms=page.evaluate("window.longest"),
            posts_per_s=(ended["posts"] - began["posts"]) / passed_s,
            shown_per_s=(ended["shown"] - began["shown"]) / passed_s,
            share=page.locator("#share").inner_text(),
            elements=page.evaluate("document.getElementsByTagName('*').length"),
            server_mib=ended["mib"],
            server_cores=(ended["cpu_s"] - began["cpu_s"]) / passed_s,
        )


class MainThread:
    """The work of a page's main thread, by its own clock and by the wall's, from now on."""

    def __init__(self, page: Any) -> None:
        self._clocks = []
        for domain in ("timeTicks", "threadTicks"):
            session = page.context.new_cdp_session(page)
            session.send("Performance.enable", {"timeDomain": domain})
            self._clocks.append(session)
        self._began = (*map(task_s, self._clocks), time.monotonic())

    def since(self) -> tuple[float, float]:
        """Cores' worth of work, and how many times longer it took by the wall's clock."""
        wall_s, work_s = (
            task_s(clock) - began_s for clock, began_s in zip(self._clocks, self._began, strict=False)
        )
        return work_s / (time.monotonic() - self._began[-1]), wall_s / max(work_s, 1e-3)


def task_s(clock: Any) -> float:
    told = clock.send("Performance.getMetrics")["metrics"]
    return float(next(each["value"] for each in told if each["name"] == "TaskDuration"))


def pressed(page: Any, until_s: float) -> tuple[float, ...]:
    """How soon each key was answered, sorted."""
    page.evaluate("window.answers = []")
    while time.monotonic() < until_s:
        for key in KEYS:
            page.keyboard.press(key)
            page.wait_for_timeout(BETWEEN_KEYS_MS)
    answers: list[float] = page.evaluate("window.answers")
    return tuple(sorted(answers))


@contextmanager
def process() -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A console in a process of its own, and its address; ends with us."""
    with subprocess.Popen(
        [sys.executable, "-c", BOOTSTRAP], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as console:
        try:
            yield console, orjson.loads(stream(console.stdout).readline())["address"]
        finally:
            stream(console.stdin).close()  # it ends when nobody speaks to it


def told(console: subprocess.Popen[bytes], word: str) -> dict[str, Any]:
    """What the process answers to a word."""
    stream(console.stdin).write(word.encode() + b"\n")
    stream(console.stdin).flush()
    answer: dict[str, Any] = orjson.loads(stream(console.stdout).readline())
    return answer


def stream(end: IO[bytes] | None) -> IO[bytes]:
    assert end is not None
    return end


def main() -> None:
    """The process: obeys `go` and `tell`, ends when its standard input does."""
    asyncio.run(serve())


async def serve() -> None:
    hub = Hub(shown_per_s=SHOWN_PER_S)
    hub.panel("broker", {"state": "ok", "why": "", "address": "127.0.0.1:9092"})
    previews = Previews(FetchLimits(), from_urls=False)
    app = console_app(hub, Access("127.0.0.1"), previews, clients=4)
    async with console_server(app, "127.0.0.1", 0) as port:
        beating = asyncio.create_task(beat(hub))
        print(orjson.dumps({"address": f"http://127.0.0.1:{port}/"}).decode(), flush=True)
        words = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(words), sys.stdin
        )
        flowing: asyncio.Task[None] | None = None
        while word := await words.readline():
            if word == b"go\n":
                flowing = asyncio.create_task(flow(hub))
            print(orjson.dumps(figures(hub)).decode(), flush=True)
        for task in (flowing, beating):
            if task is not None:
                task.cancel()
    await previews.close()


def figures(hub: Hub) -> dict[str, float]:
    status = Path("/proc/self/status").read_text()
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return {
        "posts": hub.pulse.recognised.total,
        "shown": sum(client.posts.shown for client in hub.clients),
        "mib": int(resident.split()[1]) / 1024,
        "cpu_s": time.process_time(),
    }


async def flow(hub: Hub) -> None:
    """Our own posts again and again as they lie on the topics, under ever new ids."""
    halves = [
        (shown.post.id.encode(), msgspec.json.encode(shown.post), encode(shown.recognition))
        for shown in own_stream()
    ]
    began_s, number = time.monotonic(), 0
    while True:
        while number < (time.monotonic() - began_s) * POSTS_PER_S:
            id_, post, recognition = halves[number % len(halves)]
            new_id = b"%s-%d" % (id_, number)
            hub.post(decode_post(post.replace(id_, new_id, 1)))
            hub.recognition(decode(recognition.replace(id_, new_id, 1), Recognition), len(recognition))
            hub.pulse.arrived.add(hub.now_s())
            number += 1
        await asyncio.sleep(TICK_S)
