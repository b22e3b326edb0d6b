"""The exceptions of the whole project: every class says who is at fault.

    SakeError                 fault
    ├── PostError             post      the post itself is bad; retrying cannot help → dead letter
    ├── NetworkError          network   something between us and a remote party; retrying may help
    ├── EngineError           engine    the model server; retrying will help once it is back
    └── OperatorError         operator  configuration or installation; a person must act

Packages above this one derive their own classes from these four.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

__all__ = ["EngineError", "Fault", "NetworkError", "OperatorError", "PostError", "SakeError"]


class Fault(StrEnum):
    """Who is at fault, as it stands in logs, metrics and dead-letter headers."""

    POST = "post"
    NETWORK = "network"
    ENGINE = "engine"
    OPERATOR = "operator"


class SakeError(Exception):
    """Base of every exception that this project raises on purpose."""

    fault: ClassVar[Fault]
    reason: str = "unspecified"
    """Machine-readable, for metrics and dead-letter headers; a class or an instance may narrow it."""


class PostError(SakeError):
    """The post is bad: not JSON, not the schema, too large. Retrying cannot help."""

    fault = Fault.POST


class NetworkError(SakeError):
    """A remote party (not the engine) could not be reached or answered badly."""

    fault = Fault.NETWORK


class EngineError(SakeError):
    """The model server failed, refused or vanished."""

    fault = Fault.ENGINE


class OperatorError(SakeError):
    """A setting, a file or an installation is wrong; the message says what to do."""

    fault = Fault.OPERATOR
