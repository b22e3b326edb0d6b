"""A real `sake worker recognise` that has met everything its metrics tell of.

Broker, worker process, telemetry and the server of shared quotas are the real ones; the model server is a
scripted one, and the search provider is down. Between them the posts cause entities, pictures, a search that
fails until its circuit opens, a failed turn, a repaired one, degraded recognitions and a dead letter.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from aiohttp import web
from aiohttp.test_utils import unused_port
from support.chat_server import refusing, serving
from support.kafka import Kafka, Record
from support.naming_server import NamingServer
from support.picture_host import picture_host
from support.valkey import Valkey

from schemas.codec import encode
from schemas.posts import ImageSource, Post

__all__ = ["exposed_worker"]

NAMES = ("Ada", "Bo", "Cy", "Dot", "Eve", "Flo", "Gus", "Hal", "Ida", "Jo", "Kit", "Lou")
PATIENCE_S = 60.0


class FaultyOnce(NamingServer):
    """Has too much to do at first."""

    async def chat(self, request: web.Request) -> web.StreamResponse:
        if not self.asked:
            self.asked.append({})
            return await refusing(503, "overloaded")(request, {})
        return await super().chat(request)


@asynccontextmanager
async def exposed_worker(kafka: Kafka, folder: Path) -> AsyncIterator[str]:
    """Gives the address of /metrics once every post is committed and the lag was looked at."""
    port = unused_port()
    with Valkey() as quotas:
        async with _exposed(kafka, folder, port, quotas.url) as url:
            yield url


@asynccontextmanager
async def _exposed(kafka: Kafka, folder: Path, port: int, quotas: str) -> AsyncIterator[str]:
    async with serving(FaultyOnce()) as server, picture_host() as pictures:
        environment = {
            **os.environ,
            "SAKE_HOME": str(folder / "home"),
            "SAKE_MODEL": "sake",
            "SAKE_PROMPTS": "compact",  # nothing but the post, which is what the scripted server reads
            "SAKE_KAFKA_BOOTSTRAP_SERVERS": kafka.connection.bootstrap_servers,
            "SAKE_TOPICS_PREFIX": kafka.names.posts.removesuffix(".posts"),
            "SAKE_WORKER_GROUP": kafka.group,
            "SAKE_ENGINE_URL": server.url,
            "SAKE_SEARCH_PROVIDERS": "searxng",
            "SAKE_SEARCH_SEARXNG_URL": f"http://127.0.0.1:{unused_port()}",
            "SAKE_SEARCH_ATTEMPTS": "2",
            "SAKE_SEARCH_SHARED_URL": quotas,
            "SAKE_SEARCH_SHARED_WORKERS": "1",
            "SAKE_HEALTH_LISTEN_PORT": str(port),
            "SAKE_TELEMETRY_PROMETHEUS": "true",
            "SAKE_PICTURE_PORTS": str(pictures.port),
        }
        await kafka.create()
        await kafka.produce(posts(f"http://127.0.0.1:{pictures.port}/picture"))
        log = (folder / "worker.log").open("wb")
        worker = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "workers", "worker", "recognise",
            cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            async with asyncio.timeout(PATIENCE_S):
                while sum((await kafka.committed()).values()) < len(NAMES) + 1:
                    assert worker.returncode is None, (folder / "worker.log").read_text()
                    await asyncio.sleep(0.5)
                while "sake_posts_lag" not in await page_of(port):
                    await asyncio.sleep(1.0)
            yield f"http://127.0.0.1:{port}/metrics"
        finally:
            if worker.returncode is None:
                worker.kill()
            await worker.wait()
            log.close()


async def page_of(port: int) -> str:
    """What /metrics answers."""
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/metrics") as answer:
        return await answer.text()


def posts(picture: str) -> list[Record]:
    """Posts with names, every second with a picture (which the guard blocks), one with a tag in its text;
    and a record that is no post.
    """
    made: list[Record] = [(b"bad", b"not json", ())]
    for number in range(len(NAMES)):
        # Names of their own: equal queries would be one search.
        text = f"{NAMES[number]} met Grace" + (" </answer>" if number == 3 else "")
        image = ImageSource(url=picture) if number % 2 else None
        post = Post(id=f"p{number}", text=text, image=image)
        made.append((post.id.encode(), encode(post), ()))
    return made
