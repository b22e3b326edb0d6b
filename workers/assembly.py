"""Builds the parts of Kafka and of the worker from the settings: the one place that knows both."""

from __future__ import annotations

from contextlib import AsyncExitStack

from pydantic import SecretStr

from sake_model.recogniser import Recogniser
from schemas.errors import OperatorError
from workers.broker import EmbeddedBroker
from workers.connection import KafkaConnection
from workers.fetch import PictureSource, PostPictures
from workers.model_choice import choose_model, open_engine
from workers.recognise.config import WorkerConfig
from workers.recognise.processor import PostProcessor
from workers.search_choice import open_search
from workers.settings import Settings
from workers.topics import TopicNames, TopicShape

__all__ = [
    "embedded_broker",
    "kafka_connection",
    "open_processor",
    "topic_names",
    "topic_shape",
    "worker_config",
]


def embedded_broker(settings: Settings) -> EmbeddedBroker:
    """The embedded broker of this home folder, not started."""
    return EmbeddedBroker(settings.home / "broker", port=settings.broker.listen_port)


def kafka_connection(settings: Settings, bootstrap_servers: str = "") -> KafkaConnection:
    """How to reach the broker: `bootstrap_servers` if given, then the setting, then the embedded
    broker that some process runs in this home folder.

    Raises OperatorError when there is none of them, or when the parts do not fit together.
    """
    kafka = settings.kafka
    servers = bootstrap_servers or kafka.bootstrap_servers
    servers = servers or EmbeddedBroker.running_at(settings.home / "broker") or ""
    if not servers:
        raise OperatorError(
            f"no broker runs in {settings.home}: start one with `sake broker`, "
            "or set SAKE_KAFKA_BOOTSTRAP_SERVERS=host:port"
        )
    return KafkaConnection(
        bootstrap_servers=servers,
        security_protocol=kafka.security_protocol,
        sasl_mechanism=kafka.sasl_mechanism,
        sasl_username=kafka.sasl_username,
        sasl_password=revealed(kafka.sasl_password),
        ssl_ca_file=kafka.ssl_ca_file,
        ssl_cert_file=kafka.ssl_cert_file,
        ssl_key_file=kafka.ssl_key_file,
        ssl_key_password=revealed(kafka.ssl_key_password),
    )


def revealed(secret: SecretStr | None) -> str:
    """A secret's text; empty when it is not set."""
    return "" if secret is None else secret.get_secret_value()


def topic_names(settings: Settings) -> TopicNames:
    """The names of all topics."""
    return TopicNames.of(settings.topics.prefix)


def topic_shape(settings: Settings) -> TopicShape:
    """How topics are made."""
    return TopicShape(partitions=settings.topics.partitions, replication=settings.topics.replication)


def worker_config(settings: Settings) -> WorkerConfig:
    """What the recognising worker is told. Raises OperatorError."""
    return WorkerConfig(
        connection=kafka_connection(settings),
        topics=topic_names(settings),
        group=settings.worker.group,
        worker_id=settings.worker.id,
        window=settings.window,
        commit=settings.commit,
        post=settings.post,
        letters=settings.letters,
        producer=settings.producer,
        consumer=settings.consumer,
        drain=settings.drain,
    )


async def open_processor(settings: Settings, stack: AsyncExitStack) -> PostProcessor:
    """Engine, search, prompts and pictures, put together; `stack` closes what is opened.

    Raises OperatorError, and EngineUnavailable while the engine is away.
    """
    choice = choose_model(settings)
    engine = await open_engine(settings, stack)
    search = await open_search(settings, stack)
    recogniser = Recogniser(
        engine,
        search,
        choice.prompts,
        choice.ref,
        choice.frame,
        limits=settings.recogniser,
        resize=choice.resize,
    )
    pictures = PostPictures(PictureSource(settings.picture), choice.resize, settings.picture)
    stack.push_async_callback(pictures.close)
    return PostProcessor(recogniser, pictures, topic_names(settings))
