"""The demo that stays: trends and mentions are counted, the console shows it all, and the stream goes on.

A recorded stream stands still in a minute. So its posts come again, as new posts of now, in waves: for
a while some of them come more often, so that there is something to rise. No more are sent than are
recognised: a slow model shows fewer posts, not an ever longer queue.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, aclosing, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from schemas.codec import CodecError, decode_post
from schemas.errors import OperatorError
from schemas.posts import Post
from schemas.recognitions import Recognition
from workers.commands.console import RunningConsole, open_console
from workers.demo.child import WorkerProcess, worker_process
from workers.demo.services import Services
from workers.demo.together import together
from workers.outputs import follow_outputs
from workers.replaying.files import Line, encoded
from workers.replaying.sending import open_producer, replay
from workers.settings import Settings

__all__ = ["WATCH_LIST", "LiveParts", "flow", "of_now", "start_live", "waves"]

WATCH_LIST = Path(__file__).parent / "watch.yaml"
# Somebody watches for minutes, not for hours: windows of 10 s, 1 min and 5 min, published soon.
TRENDS = {
    "SAKE_TRENDS_LENGTHS_S": "10,60,300",
    "SAKE_TRENDS_HOPS_S": "5,10,60",
    "SAKE_TRENDS_GRACE_S": "10",
    "SAKE_TRENDS_QUIET_S": "5",
    # Two posts a second: a second mention in 10 s is more than noise, and half of a wave's posts burst.
    "SAKE_TRENDS_BURST_MIN_MENTIONS": "4",
    "SAKE_TRENDS_BURST_BIAS_MENTIONS": "1",
    "SAKE_TRENDS_BURST_SCORE": "3",
}
WAVE_POSTS = 40
"""Half a minute at the pace of a model on two processor cores."""
FAVOURITES = 2
FAVOURED_SHARE = 0.5
AGAIN = "~"
"""Stands in the id of a post that came again, before its number."""
IN_WORK = 12
"""Posts sent and not yet recognised: what a model on few cores works on at once."""
PATIENCE_S = 20.0
"""A post that became a dead letter, or whose record was missed, gives its place back after this."""


@dataclass(frozen=True, slots=True)
class LiveParts:
    """What runs besides the services of every demo."""

    console: RunningConsole
    workers: tuple[WorkerProcess, ...]
    """Trends and mentions."""

    def check(self) -> None:
        """Raises OperatorError when a worker has ended."""
        for worker in self.workers:
            worker.check()


async def start_live(settings: Settings, services: Services, stack: AsyncExitStack) -> LiveParts:
    """Trends, mentions and the console over this run's topics, until `stack` closes.

    Raises OperatorError. The two workers come up by themselves, after some seconds.
    """
    home = stack.enter_context(TemporaryDirectory(prefix="sake-demo-"))  # counts of this run alone
    prefix = services.variables["SAKE_TOPICS_PREFIX"]
    kinds = {
        "trends": {**TRENDS, "SAKE_TRENDS_GROUP": f"{prefix}-trends"},
        "mentions": {
            "SAKE_MENTIONS_WATCH_LIST": str(WATCH_LIST.resolve()),
            "SAKE_MENTIONS_GROUP": f"{prefix}-mentions",
        },
    }
    workers: list[WorkerProcess] = []
    for kind, own in kinds.items():
        variables = {**services.variables, **own, "SAKE_HOME": home, "SAKE_WORKER_ID": "demo"}
        log_path = settings.logs / f"{kind}.log"
        workers.append(await stack.enter_async_context(worker_process(variables, log_path, kind=kind)))
    seen = settings.model_copy(
        update={
            "kafka": replace(settings.kafka, bootstrap_servers=services.connection.bootstrap_servers),
            "topics": replace(settings.topics, prefix=prefix),
            "worker": replace(settings.worker, group=services.variables["SAKE_WORKER_GROUP"]),
            "console": replace(
                settings.console, workers=tuple(worker.address for worker in (services.worker, *workers))
            ),
        }
    )
    with suppress(OperatorError):  # another console has the port: any other will do
        return LiveParts(await open_console(seen, stack), tuple(workers))
    return LiveParts(await open_console(seen, stack, port=0), tuple(workers))


async def flow(services: Services, posts: tuple[Post, ...], live: LiveParts) -> None:
    """Sends posts for ever, as fast as they are recognised. Raises OperatorError when a worker or the
    run's own broker ends.
    """
    places = asyncio.Semaphore(IN_WORK)

    async def lines() -> AsyncIterator[Line]:
        for post in waves(posts, random.Random()):
            with suppress(TimeoutError):
                await asyncio.wait_for(places.acquire(), PATIENCE_S)
            yield encoded(_of_now(post))

    async def watch() -> None:
        records = follow_outputs(services.connection, services.topics, services.partitions)
        async with aclosing(records):
            async for record in records:
                services.check()
                live.check()
                if isinstance(record, Recognition) and AGAIN in record.post_id:
                    places.release()

    async with together() as group, open_producer(services.connection) as producer:
        group.create_task(watch())
        await replay(lines(), producer, topic=services.topics.posts, source="sake-demo")


def waves(posts: tuple[Post, ...], dice: random.Random) -> Iterator[Post]:
    """The posts again and again, each under an id of its own; in every wave, some with a picture
    come more often.
    """
    seen = [post for post in posts if post.image is not None] or posts
    number = 0
    while True:
        favourites = dice.sample(seen, min(FAVOURITES, len(seen)))
        for _ in range(WAVE_POSTS):
            favoured = dice.random() < FAVOURED_SHARE
            post = dice.choice(favourites if favoured else posts)
            number += 1
            yield msgspec.structs.replace(post, id=f"{post.id}{AGAIN}{number}")


def of_now(lines: tuple[Line, ...]) -> Iterator[Line]:
    """The lines as if they were written when they are asked for; what is no post stays as it is."""
    for line in lines:
        try:
            post = decode_post(line.value)
        except CodecError:
            yield line
        else:
            yield encoded(_of_now(post))


def _of_now(post: Post) -> Post:
    return msgspec.structs.replace(post, created_at=datetime.now(UTC))
