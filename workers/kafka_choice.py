"""From the settings to Kafka: which broker, how to reach it, which topics."""

from __future__ import annotations

from pydantic import SecretStr

from schemas.errors import OperatorError
from workers.broker import EmbeddedBroker
from workers.connection import KafkaConnection
from workers.settings import Settings
from workers.topics import TopicNames, TopicShape

__all__ = ["embedded_broker", "kafka_connection", "topic_names", "topic_shape"]


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
