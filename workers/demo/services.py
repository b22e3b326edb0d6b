"""Starts what the demo needs, side by side: broker and topics, index, engine, worker."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from sake_model.engine.client import ServerFacts
from sake_model.engine.launcher import EngineServer
from sake_model.engine.serve_options import is_cpu_build
from sake_model.search.index import build_index
from workers.broker import EmbeddedBroker
from workers.connection import KafkaConnection
from workers.demo.board import Board
from workers.demo.child import WorkerProcess, worker_process
from workers.demo.together import together
from workers.engine_control import control_of, running_engine
from workers.kafka_choice import embedded_broker, kafka_connection, topic_shape
from workers.model_choice import engine_server, open_engine
from workers.recognise.window import WindowLimits
from workers.settings import Settings
from workers.topics import TopicNames, check_topics, create_topics

__all__ = ["Services", "started"]

# Measured: vLLM on 2 cores gives 10–13 requests a second at 8 at once, and little more beyond.
CPU_WINDOW = 12

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that runs."""

    connection: KafkaConnection
    topics: TopicNames
    partitions: dict[str, int]
    """By topic."""
    engine_url: str
    engine: ServerFacts
    worker: WorkerProcess
    variables: dict[str, str]
    """What another `sake` command must be told to see the same topics."""
    broker: EmbeddedBroker | None
    """Of this run; None when one was there already."""

    def check(self) -> None:
        """Raises OperatorError when the recogniser or the run's own broker has ended."""
        self.worker.check()
        if self.broker is not None:
            self.broker.check()


@asynccontextmanager
async def started(settings: Settings, model: str, board: Board) -> AsyncIterator[Services]:
    """Everything, once it is ready; stopped afterwards, and the run's own topics removed. `model` is
    what the checkpoint is called.

    Raises OperatorError when a part does not come up.
    """
    board.plan("broker", "index", "engine", "worker")
    # Topics of its own: an earlier run, or earnest work on the same broker, is never in the way.
    topics = TopicNames.of(f"{settings.topics.prefix}-demo-{time.strftime('%H%M%S')}")
    async with AsyncExitStack() as stack:
        # The server's address is known before it answers, so the worker starts beside it.
        there = settings.engine.url or running_engine(settings.home)
        server = None if there else engine_server(settings)
        engine_url = there if server is None else server.url
        if server is not None:
            await stack.enter_async_context(server)
            await stack.enter_async_context(control_of(server, settings.home, server.url))
        async with together() as group:
            engine = group.create_task(_engine(engine_url, settings, server, board, model))
            index = group.create_task(_index(settings, board))
            broker = group.create_task(_broker(settings, board, stack, topics))
            worker = group.create_task(
                _worker(
                    board=board,
                    stack=stack,
                    settings=settings,
                    engine_url=engine_url,
                    topics=topics,
                    broker=broker,
                    index=index,
                )
            )
        process, variables = worker.result()
        connection, partitions, own = broker.result()
        yield Services(
            connection, topics, partitions, engine_url, engine.result(), process, variables, broker=own
        )


async def _engine(
    url: str, settings: Settings, server: EngineServer | None, board: Board, model: str
) -> ServerFacts:
    async with board.step("engine") as step, AsyncExitStack() as stack:
        if server is not None:
            step.note = f"vLLM loads {model}"
            await server.ready()
        else:
            step.note = f"asking {url}"
        client = await open_engine(settings, stack, url)
        facts = await client.facts()
        step.note = f"{'vLLM' if facts.vllm else 'a server'} at {url} answers for {facts.model}"
        return facts


async def _index(settings: Settings, board: Board) -> None:
    async with board.step("index") as step:
        if "local" not in settings.search.providers:
            step.note = "not used"
            return

        def progress(source: str, rows: int) -> None:
            step.note = f"{source}, {rows:,} rows"

        report = await asyncio.to_thread(build_index, settings.home, progress=progress)
        step.note = (
            f"{sum(report.rows.values()):,} rows to search, {'built' if report.built else 'there already'}"
        )
        if report.missing:
            step.note += f"; without {', '.join(report.missing)}"


async def _broker(
    settings: Settings, board: Board, stack: AsyncExitStack, topics: TopicNames
) -> tuple[KafkaConnection, dict[str, int], EmbeddedBroker | None]:
    async with board.step("broker") as step:
        step.note = "starting"
        own = None
        kind = "outside Kafka"
        if not settings.kafka.bootstrap_servers:
            kind = "embedded broker, running already"
            if EmbeddedBroker.running_at(settings.home / "broker") is None:
                kind = "embedded broker"
                own = await stack.enter_async_context(embedded_broker(settings))
        connection = kafka_connection(settings)
        await create_topics(connection, topics, topic_shape(settings))
        stack.push_async_callback(_remove, connection, topics)
        partitions = await check_topics(connection, topics.all)
        step.note = f"{kind} at {connection.bootstrap_servers}, {partitions[topics.posts]} partitions"
        return connection, partitions, own


async def _remove(connection: KafkaConnection, topics: TopicNames) -> None:
    admin = AIOKafkaAdminClient(**connection.options())
    try:
        await admin.start()
        # Those of the workers behind (changelogs, folding) begin with the same prefix.
        prefix = topics.posts.removesuffix("posts")[:-1]
        there = [name for name in await admin.list_topics() if name.startswith(prefix)]
        await admin.delete_topics(there)
    except KafkaError as error:
        log.warning("the demo's topics stay: %s", error)
    finally:
        await admin.close()


async def _worker(
    *,
    board: Board,
    stack: AsyncExitStack,
    settings: Settings,
    engine_url: str,
    topics: TopicNames,
    broker: asyncio.Task[tuple[KafkaConnection, dict[str, int], EmbeddedBroker | None]],
    index: asyncio.Task[None],
) -> tuple[WorkerProcess, dict[str, str]]:
    connection, _, _ = await broker
    await index
    prefix = topics.posts.removesuffix(".posts")
    variables = {
        "SAKE_KAFKA_BOOTSTRAP_SERVERS": connection.bootstrap_servers,
        "SAKE_TOPICS_PREFIX": prefix,
        "SAKE_WORKER_GROUP": prefix,
    }
    async with board.step("worker") as step:
        step.note = "joins its group"
        own = {"SAKE_ENGINE_URL": engine_url, "SAKE_WORKER_ID": "demo", **window_of(settings)}
        if not settings.telemetry.otlp_endpoint:
            own["SAKE_TELEMETRY_PROMETHEUS"] = "true"  # the console shows its searches
        process = await stack.enter_async_context(
            worker_process({**variables, **own}, settings.logs / "worker.log")
        )
        await process.holds_partitions()
        step.note = f"holds the partitions; log: {settings.logs / 'worker.log'}"
        return process, variables


def window_of(settings: Settings) -> dict[str, str]:
    """A smaller window for a model on a few processor cores, unless somebody has set one.

    Such a server works on some ten posts at once; more would only stand in its queue, and the wait
    would count against their deadlines.
    """
    own_server = not settings.engine.url and is_cpu_build(settings.engine.environment)
    if not own_server or settings.window != WindowLimits():
        return {}
    return {"SAKE_WINDOW_MAX_IN_FLIGHT": str(CPU_WINDOW)}
