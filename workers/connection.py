"""How to reach Kafka, as every client of this project is told."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from aiokafka.helpers import create_ssl_context

from schemas.errors import OperatorError

__all__ = ["KafkaConnection", "SaslMechanism", "SecurityProtocol"]

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


@dataclass(frozen=True, slots=True)
class KafkaConnection:
    """Brokers, transport and authentication.

    Raises OperatorError when the parts do not fit together.
    """

    bootstrap_servers: str
    """`host:port,host:port`."""
    security_protocol: SecurityProtocol = "PLAINTEXT"
    sasl_mechanism: SaslMechanism = "PLAIN"
    sasl_username: str = ""
    sasl_password: str = field(default="", repr=False)
    ssl_ca_file: Path | None = None
    """PEM file of the authorities to trust; None = the system's."""
    ssl_cert_file: Path | None = None
    ssl_key_file: Path | None = None
    ssl_key_password: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if not self.bootstrap_servers:
            raise OperatorError("no Kafka broker named; set SAKE_KAFKA_BOOTSTRAP_SERVERS to host:port")
        if self.security_protocol.startswith("SASL") and not (self.sasl_username and self.sasl_password):
            raise OperatorError(
                f"{self.security_protocol} needs a user name and a password: "
                "set SAKE_KAFKA_SASL_USERNAME and SAKE_KAFKA_SASL_PASSWORD"
            )
        for file in (self.ssl_ca_file, self.ssl_cert_file, self.ssl_key_file):
            if file is not None and not file.is_file():
                raise OperatorError(f"there is no file {file}; correct the SSL settings of Kafka")

    def options(self) -> dict[str, Any]:
        """Keyword arguments for every aiokafka client. Raises OperatorError for an unreadable PEM file."""
        options: dict[str, Any] = {
            "bootstrap_servers": [server.strip() for server in self.bootstrap_servers.split(",")],
            "security_protocol": self.security_protocol,
        }
        if self.security_protocol.endswith("SSL"):
            options["ssl_context"] = self._ssl_context()
        if self.security_protocol.startswith("SASL"):
            options |= {
                "sasl_mechanism": self.sasl_mechanism,
                "sasl_plain_username": self.sasl_username,
                "sasl_plain_password": self.sasl_password,
            }
        return options

    def _ssl_context(self) -> ssl.SSLContext:
        try:
            context: ssl.SSLContext = create_ssl_context(
                cafile=str(self.ssl_ca_file) if self.ssl_ca_file else None,
                certfile=str(self.ssl_cert_file) if self.ssl_cert_file else None,
                keyfile=str(self.ssl_key_file) if self.ssl_key_file else None,
                password=self.ssl_key_password or None,
            )
        except OSError as error:  # ssl.SSLError is one
            raise OperatorError(f"the SSL files of Kafka cannot be read: {error}") from error
        return context
