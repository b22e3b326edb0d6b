"""What the rest of the system asks of a model server, and how it may fail.

EngineError (schemas.errors)
├── EngineUnavailable   down, refusing or vanished mid-request: wait and retry
│   └── EngineLost      the connection broke while the request was running: this
│       │               request may be what took the server down
│       └── ConnectionCut   it broke, but the server was well right afterwards: most
│                       likely the network's doing
├── EngineOverloaded    queue full (HTTP 503, 429): retry soon
├── ModelChanged        another checkpoint is served than the one that was meant: begin anew
├── EngineTimeout       the deadline passed before the answer came
└── EngineRejected      the server is well and refuses this request (HTTP 400): retrying
    │                   the same cannot help
    └── PromptTooLong   it is longer than the model's context
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol

from sake_model.deadline import Deadline
from sake_model.pictures import ModelPicture
from schemas.errors import EngineError

__all__ = [
    "Completion",
    "ConnectionCut",
    "Engine",
    "EngineLost",
    "EngineOverloaded",
    "EngineRejected",
    "EngineTimeout",
    "EngineUnavailable",
    "FinishReason",
    "Message",
    "ModelChanged",
    "Part",
    "PromptTooLong",
    "Sampling",
]

Part = str | ModelPicture
"""A piece of a message: text, or a picture."""


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message; its parts stand in the order in which the model reads them."""

    role: Literal["system", "user", "assistant"]
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn. The default is greedy and therefore reproducible."""

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None


class FinishReason(StrEnum):
    """Why the model stopped."""

    STOP = "stop"
    """End of turn, or one of the stop strings (which is then part of the text)."""
    LENGTH = "length"
    """Cut off: `max_tokens` or the context was used up, or the server saw it repeat itself."""


@dataclass(frozen=True, slots=True)
class Completion:
    """One model turn."""

    text: str
    finish: FinishReason
    prompt_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    """Prompt tokens that the server's prefix cache already held."""


class Engine(Protocol):
    """A chat model that reads text and pictures."""

    async def generate(
        self,
        messages: tuple[Message, ...],
        *,
        stop: tuple[str, ...],
        max_tokens: int,
        deadline: Deadline,
        sampling: Sampling = Sampling(),
    ) -> Completion:
        """The model's next turn. A stop string that ended it is included in the text.

        Raises the EngineError classes of this module, and nothing else on purpose.
        """
        ...


class EngineUnavailable(EngineError):
    """The server is down, starting or out of reach."""


class EngineLost(EngineUnavailable):
    """The connection broke after the request had been sent."""


class ConnectionCut(EngineLost):
    """The connection broke after the request had been sent, and the server is well all the same.

    No proof: behind one address another server may have answered for one that died.
    """


class EngineOverloaded(EngineError):
    """The server's queue is full."""


class ModelChanged(EngineError):
    """The server serves another checkpoint than the one that the dialogue was begun with."""


class EngineTimeout(EngineError):
    """The deadline passed before the answer came."""


class EngineRejected(EngineError):
    """The server refuses this very request."""


class PromptTooLong(EngineRejected):
    """The prompt does not fit into the model's context."""
