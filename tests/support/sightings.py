"""Entity records as trends see them: a name, a post, a time."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from schemas.entities import EntityRecord, GroundedEntity, Span
from schemas.ids import entity_id, normalised_name

__all__ = ["NOON", "at", "sighting", "zipf_names"]

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
MODEL_DIGEST = "sha256:" + "12" * 32


def at(seconds: float) -> datetime:
    """So many seconds after noon."""
    return NOON + timedelta(seconds=seconds)


def sighting(
    exact: str = "Oslo",
    created_at: datetime | None = NOON,
    *,
    post_id: str = "p1",
    type_: str = "LOC",
    boxed: bool = False,
    recognised_at: datetime | None = None,
    start: int = 0,
) -> EntityRecord:
    """One mention; recognised a second after its post was made unless told otherwise."""
    end = start + len(exact)
    return EntityRecord(
        entity=GroundedEntity(
            id=entity_id(post_id, start, end, type_),
            span=Span(start, end, exact),
            type=type_,
            box_px=(1.0, 2.0, 30.0, 40.0) if boxed else None,
        ),
        name=normalised_name(exact),
        post_id=post_id,
        created_at=created_at,
        recognised_at=recognised_at or (created_at or NOON) + timedelta(seconds=1),
        source="test",
        lang="en",
        model_digest=MODEL_DIGEST,
    )


def zipf_names(count: int, dice: random.Random, *, names: int) -> list[str]:
    """Names as people use them: few often, most of `names` rarely (Zipf's law, exponent 1)."""
    weights = [1 / rank for rank in range(1, names + 1)]
    return [f"Name {number}" for number in dice.choices(range(names), weights, k=count)]
