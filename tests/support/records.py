"""Real-looking records for tests, complete and valid unless a test changes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from schemas.entities import BoxPx, Evidence, GroundedEntity, Knowledge, Span, Tool
from schemas.ids import entity_id
from schemas.mentions import Mention
from schemas.posts import ImageSource, Post
from schemas.recognitions import (
    DegradedReason,
    ModelRef,
    Outcome,
    PictureFacts,
    Recognition,
    Round,
    RoundAction,
    Timings,
)
from schemas.trends import Trend, TrendExample

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
TEXT = "Saw @Spotify and the Golden State Warriors at Chase Center 🏀 #Spotify"
PICTURE = PictureFacts(sha256="ab" * 32, width=640, height=480)
MODEL = ModelRef(name="default", digest="sha256:" + "12" * 32, prompts_digest="sha256:" + "34" * 32)


def post(text: str = TEXT, **changes: object) -> Post:
    fields: dict[str, object] = {
        "id": "p1",
        "text": text,
        "image": ImageSource(url="https://pictures.example/a.jpg"),
        "created_at": NOON,
        "source": "example",
        "lang": "en",
    }
    return Post(**(fields | changes))  # type: ignore[arg-type]


def evidence(tool: Tool = Tool.TEXT) -> Evidence:
    return Evidence(
        tool=tool,
        provider="local",
        query="Golden State Warriors",
        title="Golden State Warriors",
        url="https://encyclopedia.example/Golden_State_Warriors",
        snippet="American basketball team: the “Dubs”",
        retrieved_at=NOON,
    )


def entity(
    exact: str,
    type_: str = "ORG",
    *,
    text: str = TEXT,
    box_px: BoxPx | None = None,
    found: tuple[Evidence, ...] = (),
) -> GroundedEntity:
    start = text.index(exact)
    return GroundedEntity(
        id=entity_id("p1", start, start + len(exact), type_),
        span=Span(start, start + len(exact), exact),
        type=type_,
        box_px=box_px,
        knowledge=Knowledge.TEXT if found else Knowledge.INTERNAL,
        evidence=found,
    )


def recognition(*entities: GroundedEntity, **changes: object) -> Recognition:
    fields: dict[str, object] = {
        "post_id": "p1",
        "created_at": NOON,
        "source": "example",
        "lang": "en",
        "recognised_at": NOON + timedelta(seconds=1.5),
        "picture": PICTURE,
        "entities": entities
        or (
            entity("Spotify", box_px=(10.5, 20.0, 110.0, 120.0)),
            entity("Golden State Warriors", found=(evidence(),)),
            entity("Chase Center", "LOC"),
        ),
        "rounds": (
            Round(action=RoundAction.TEXT_SEARCH, queries=("Golden State Warriors",), results=1),
            Round(action=RoundAction.ANSWER, prompt_tokens=900, output_tokens=40, engine_ms=120.25),
        ),
        "repairs": {"trailing_comma": 1},
        "outcome": Outcome.of((DegradedReason.DEADLINE,)),
        "model": MODEL,
        "timings": Timings(picture_ms=3.5, engine_ms=120.25, search_ms=8.0, total_ms=140.0),
    }
    return Recognition(**(fields | changes))  # type: ignore[arg-type]


def trend() -> Trend:
    return Trend(
        name="spotify",
        type="ORG",
        window_start=NOON,
        window_end=NOON + timedelta(minutes=5),
        mentions=3,
        posts=2,
        grounded=1,
        examples=(TrendExample(post_id="p1", exact="Spotify", at=NOON),),
    )


def mention() -> Mention:
    return Mention(
        brand="Spotify",
        name="spotify",
        entity=entity("Spotify", box_px=(10.5, 20.0, 110.0, 120.0)),
        post_id="p1",
        created_at=None,
        recognised_at=NOON,
        source="example",
        lang="",
        model_digest=MODEL.digest,
    )
