"""What became of one post: topic `sake.recognitions`, key = post id."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec

from schemas.entities import EntityRecord, GroundedEntity, Tool
from schemas.fields import Count, Instant, Millis, PositiveCount, PostId, Sha256, refuse_timeless
from schemas.ids import normalised_name

__all__ = [
    "MAX_REASON_CHARS",
    "DegradedReason",
    "ModelRef",
    "Outcome",
    "PictureFacts",
    "Recognition",
    "Round",
    "RoundAction",
    "Timings",
    "entity_records",
]


# A few sentences: what a reader of the record wants to know of a turn, not its whole text.
MAX_REASON_CHARS = 600


class RoundAction(StrEnum):
    """What a model turn asked for."""

    TEXT_SEARCH = Tool.TEXT.value
    IMAGE_SEARCH = Tool.IMAGE.value
    ANSWER = "answer"
    MALFORMED = "malformed"


class DegradedReason(StrEnum):
    """Why a recognition is less than it could have been."""

    NO_PICTURE = "no_picture"
    """The post named a picture, but none could be used; `picture.missing` says why."""
    SEARCH_UNAVAILABLE = "search_unavailable"
    DEADLINE = "deadline"
    MALFORMED_TURN = "malformed_turn"
    PROMPT_TOO_LONG = "prompt_too_long"
    """The text was cut to fit the model's context."""


class PictureFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Facts of the post's picture, or why there is none (`missing`)."""

    sha256: Sha256 | None = None
    """Hex digest of the original bytes."""
    width: PositiveCount | None = None
    """Pixels of the original, after EXIF orientation."""
    height: PositiveCount | None = None
    missing: str | None = None
    """Machine-readable reason, e.g. `http_404`, `blocked_address`, `not_an_image`, `too_large`."""


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """One model turn and what it led to."""

    action: RoundAction
    queries: tuple[str, ...] = ()
    results: Count = 0
    prompt_tokens: Count = 0
    output_tokens: Count = 0
    engine_ms: Millis = 0.0
    search_ms: Millis = 0.0
    reason: str = ""
    """The model's own words for what it did, at most MAX_REASON_CHARS; empty where it gave none."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """`complete` when `reasons` is empty, `degraded` otherwise."""

    status: Literal["complete", "degraded"]
    reasons: tuple[DegradedReason, ...] = ()

    def __post_init__(self) -> None:
        if self.status != ("degraded" if self.reasons else "complete"):
            raise ValueError("status must be 'degraded' exactly when there are reasons")

    @classmethod
    def of(cls, reasons: tuple[DegradedReason, ...]) -> Outcome:
        """The outcome that these reasons make."""
        return cls(status="degraded" if reasons else "complete", reasons=reasons)


class ModelRef(msgspec.Struct, frozen=True, kw_only=True):
    """Which weights and which prompts answered."""

    name: str
    digest: str
    """`sha256:…` of the checkpoint's manifest, or of the served name where there is no folder."""
    prompts_digest: str


class Timings(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds of wall clock from admission to the finished record."""

    picture_ms: Millis
    engine_ms: Millis
    search_ms: Millis
    total_ms: Millis


class Recognition(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was found in one post, and how."""

    post_id: PostId
    created_at: Instant | None
    source: str
    lang: str
    recognised_at: Instant
    picture: PictureFacts | None
    """None when the post named no picture."""
    entities: tuple[GroundedEntity, ...]
    rounds: tuple[Round, ...]
    repairs: dict[str, Count]
    """Named lenient repairs of the model's turns and how often each was needed."""
    outcome: Outcome
    model: ModelRef
    timings: Timings

    def __post_init__(self) -> None:
        refuse_timeless(self.created_at, self.recognised_at)


def entity_records(recognition: Recognition) -> tuple[EntityRecord, ...]:
    """The recognition's entities, one record each, as they go to `sake.entities`."""
    return tuple(
        EntityRecord(
            entity=entity,
            name=normalised_name(entity.span.exact),
            post_id=recognition.post_id,
            created_at=recognition.created_at,
            recognised_at=recognition.recognised_at,
            source=recognition.source,
            lang=recognition.lang,
            model_digest=recognition.model.digest,
        )
        for entity in recognition.entities
    )
