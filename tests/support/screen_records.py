"""Records as the screen and its judgement take them, short to write."""

from __future__ import annotations

from datetime import UTC, datetime

from schemas.deadletters import DeadLetter, Stage, why_dead
from schemas.entities import GroundedEntity, Span
from schemas.errors import PostError
from schemas.recognitions import ModelRef, Outcome, Recognition, Round, RoundAction, Timings

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def entity(text: str, exact: str, type_: str = "PER", **more: object) -> GroundedEntity:
    """The first place of `exact` in the text, as an entity."""
    start = text.index(exact)
    span = Span(start=start, end=start + len(exact), exact=exact)
    return GroundedEntity(id="e", span=span, type=type_, **more)  # type: ignore[arg-type]


def recognition(*entities: GroundedEntity, **more: object) -> Recognition:
    """A recognition with one round, changed as told."""
    facts: dict[str, object] = {
        "post_id": "p1",
        "created_at": None,
        "source": "",
        "lang": "",
        "recognised_at": NOW,
        "picture": None,
        "entities": entities,
        "rounds": (Round(action=RoundAction.ANSWER),),
        "repairs": {},
        "outcome": Outcome.of(()),
        "model": ModelRef(name="m", digest="d", prompts_digest="p"),
        "timings": Timings(picture_ms=0, engine_ms=0, search_ms=0, total_ms=1234.4),
    }
    return Recognition(**{**facts, **more})  # type: ignore[arg-type]


def letter(message: str = "not JSON", reason: str = "not_json") -> DeadLetter:
    """A dead letter of the post `p9`."""
    why = why_dead(
        PostError(message), topic="t", partition=0, offset=1, stage=Stage.DECODE, attempt=1, reason=reason
    )
    return DeadLetter(key=b"p9", value=b"{", why=why)
