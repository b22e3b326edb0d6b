"""The topics: their names, how they are made, and whether they are as they must be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from difflib import get_close_matches

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from schemas.codec import MAX_POST_BYTES
from schemas.errors import NetworkError, OperatorError
from workers.connection import KafkaConnection

__all__ = [
    "BrokerUnreachable",
    "TopicNames",
    "TopicShape",
    "check_topics",
    "create_topic",
    "create_topics",
    "describe_topics",
    "retention_of",
]

# Headers, keys and batch framing on top of the largest value.
MESSAGE_HEADROOM_BYTES = 64 * 1024
RETENTION = "retention.ms"
# A letter or two in twenty: topics of one prefix are alike in most of their letters.
NEARLY = 0.9


class BrokerUnreachable(NetworkError):
    """No broker answers."""


@dataclass(frozen=True, slots=True)
class TopicNames:
    """All topic names, made from one prefix by `TopicNames.of`."""

    posts: str
    recognitions: str
    entities: str
    dead_letters: str
    trends: str
    mentions: str

    @classmethod
    def of(cls, prefix: str = "sake") -> TopicNames:
        """`{prefix}.posts`, `{prefix}.recognitions`, `{prefix}.entities`, `{prefix}.dead-letters`, …"""
        return cls(**{field.name: f"{prefix}.{field.name.replace('_', '-')}" for field in fields(cls)})

    @property
    def all(self) -> tuple[str, ...]:
        """Every name."""
        own = (getattr(self, field.name) for field in fields(self))
        return (*own, self.mentions_matched, self.mentions_dead_letters)

    @property
    def mentions_matched(self) -> str:
        """Between matching and folding: mentions by brand, one for each post."""
        return f"{self.mentions}.matched"

    @property
    def mentions_dead_letters(self) -> str:
        """Recognitions that could not be matched, and mentions that the webhook did not take."""
        return f"{self.mentions}.dead-letters"

    @property
    def recogniser(self) -> tuple[str, ...]:
        """Those that a recognising worker reads or writes."""
        return (self.posts, self.recognitions, self.entities, self.dead_letters)


@dataclass(frozen=True, slots=True)
class TopicShape:
    """How topics are made that do not exist yet."""

    partitions: int = 4
    replication: int = 1
    max_post_bytes: int = MAX_POST_BYTES
    """`max.message.bytes` of the posts' and the dead letters' topic, headroom not counted."""


async def create_topics(
    connection: KafkaConnection, names: TopicNames, shape: TopicShape = TopicShape()
) -> tuple[str, ...]:
    """Makes the topics that are missing; those that exist are left as they are. Returns the new ones.

    Raises BrokerUnreachable, and OperatorError when the cluster refuses a topic.
    """
    # A dead letter is its post and more headers, so it may be larger than the largest post.
    limits = {
        names.posts: shape.max_post_bytes + MESSAGE_HEADROOM_BYTES,
        names.dead_letters: shape.max_post_bytes + 2 * MESSAGE_HEADROOM_BYTES,
    }
    new = [
        NewTopic(
            name,
            num_partitions=shape.partitions,
            replication_factor=shape.replication,
            topic_configs={"max.message.bytes": str(limits[name])} if name in limits else {},
        )
        for name in names.all
    ]
    return await _create(connection, new)


async def create_topic(
    connection: KafkaConnection, name: str, shape: TopicShape = TopicShape()
) -> tuple[str, ...]:
    """Makes one topic that takes whatever the posts' and the dead letters' topics do, if it is missing.

    It keeps its records: they may be older by their own time than what a broker keeps otherwise.
    Returns the new one, or none. Raises BrokerUnreachable, and OperatorError when the cluster refuses it.
    """
    largest = shape.max_post_bytes + 2 * MESSAGE_HEADROOM_BYTES
    new = NewTopic(
        name,
        num_partitions=shape.partitions,
        replication_factor=shape.replication,
        topic_configs={"max.message.bytes": str(largest), RETENTION: "-1"},
    )
    return await _create(connection, [new])


async def retention_of(connection: KafkaConnection, topic: str) -> int | None:
    """How many ms a topic keeps a record after the record's own time; None = for ever, or not told.

    Raises BrokerUnreachable.
    """
    admin = await _admin(connection)
    try:
        answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    except KafkaError as error:
        raise BrokerUnreachable(f"{connection.bootstrap_servers} does not tell {topic}: {error}") from error
    finally:
        await admin.close()
    entries = (entry for answer in answers for resource in answer.resources for entry in resource[4])
    told = next((entry[1] for entry in entries if entry[0] == RETENTION), None)
    return int(told) if told is not None and int(told) >= 0 else None


async def _create(connection: KafkaConnection, new: list[NewTopic]) -> tuple[str, ...]:
    admin = await _admin(connection)
    try:
        answer = await admin.create_topics(new)
    except KafkaError as error:
        raise OperatorError(f"the topics cannot be made: {error}") from error
    finally:
        await admin.close()
    made: list[str] = []
    for name, code, *detail in answer.topic_errors:
        problem = for_code(code)
        if code == 0:
            made.append(name)
        elif problem is not TopicAlreadyExistsError:
            raise OperatorError(f"topic {name} cannot be made: {detail[0] if detail else problem.__name__}")
    return tuple(made)


async def describe_topics(connection: KafkaConnection) -> dict[str, int]:
    """Every topic of the cluster and its number of partitions. Raises BrokerUnreachable."""
    admin = await _admin(connection)
    try:
        described = await admin.describe_topics()
    except KafkaError as error:
        raise BrokerUnreachable(
            f"{connection.bootstrap_servers} does not describe its topics: {error}"
        ) from error
    finally:
        await admin.close()
    return {topic["topic"]: len(topic["partitions"]) for topic in described if not topic["error_code"]}


async def check_topics(connection: KafkaConnection, needed: tuple[str, ...]) -> dict[str, int]:
    """The partitions of each topic that is needed.

    Raises OperatorError, which names every one that is missing and what is called nearly so, and
    BrokerUnreachable.
    """
    there = await describe_topics(connection)
    missing = [name for name in needed if not there.get(name)]
    if missing:
        raise OperatorError(
            f"topics missing on {connection.bootstrap_servers}: "
            f"{', '.join(_with_near(name, there) for name in missing)}; make them with `sake topics create`"
        )
    return {name: there[name] for name in needed}


def _with_near(name: str, there: Iterable[str]) -> str:
    near = get_close_matches(name, there, n=1, cutoff=NEARLY)
    return f"{name} (did you mean {near[0]}?)" if near else name


async def _admin(connection: KafkaConnection) -> AIOKafkaAdminClient:
    admin = AIOKafkaAdminClient(**connection.options())
    try:
        await admin.start()
    except KafkaError as error:
        await admin.close()
        raise BrokerUnreachable(
            f"no Kafka broker answers at {connection.bootstrap_servers} ({error}); "
            "check the address, and the security settings if it has any"
        ) from error
    return admin
