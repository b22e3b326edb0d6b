"""A stream for the console: our own posts with their gold as recognitions, without broker or model."""

from __future__ import annotations

import base64
import io
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec
from PIL import Image

from sake_model.pictures import PictureError, PictureLimits, prepare
from schemas.codec import CodecError, decode_post, encode
from schemas.deadletters import DeadLetter, Stage, why_dead
from schemas.entities import Evidence, GroundedEntity, Knowledge, Span, Tool
from schemas.errors import PostError
from schemas.ids import entity_id
from schemas.mentions import Crop, MatchedBy, Mention
from schemas.posts import Post
from schemas.recognitions import (
    ModelRef,
    Outcome,
    PictureFacts,
    Recognition,
    Round,
    RoundAction,
    Timings,
)
from schemas.trends import Trend, TrendExample, TrendMoment
from workers.console.hub import Hub
from workers.console.previews import SIZE
from workers.demo.gold import Gold, GoldEntity, read_gold
from workers.demo.material import own_posts, picture_bytes

__all__ = ["NOW", "Shown", "letters", "mention_of", "own_stream", "trends"]

NOW = datetime(2026, 6, 1, 8, 30, tzinfo=UTC)
MODEL = ModelRef(name="sake-138m", digest="sha256:" + "5a" * 32, prompts_digest="sha256:" + "77" * 32)
FACTS = {
    "Zanzibar": "Semi-autonomous archipelago of Tanzania in the Indian Ocean.",
    "Golden Gate Bridge": "Suspension bridge where San Francisco Bay meets the Pacific, of 1937.",
    "Osteria Verdi": "Restaurant in the old town of Bologna.",
}
WHY = {
    Tool.TEXT: "“{name}” is not a name that I know. A text search can tell who or what it is.",
    Tool.IMAGE: "I know the name {name}, but not what it looks like. Pictures of it can tell where it is.",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """One post and what came of it."""

    post: Post
    recognition: Recognition
    gold: Gold

    def into(self, hub: Hub) -> None:
        """As the reader would: the post, then its recognition."""
        hub.post(self.post)
        hub.recognition(self.recognition, len(encode(self.recognition)))


def own_stream(seed: int = 7) -> tuple[Shown, ...]:
    """Our own posts that become recognitions, in their order; equal for equal seeds."""
    return tuple(_shown(seed))


def _shown(seed: int) -> Iterator[Shown]:
    dice = random.Random(seed)
    at = NOW
    for line, gold in zip(own_posts(None).lines, read_gold(), strict=True):
        try:
            post = decode_post(line.value)
        except CodecError:
            continue
        if gold.dead_letter is None and gold.post_id is not None:
            at += timedelta(seconds=dice.uniform(0.4, 3))
            post = msgspec.structs.replace(post, created_at=at - timedelta(seconds=4), source="sake-demo")
            yield Shown(post, _recognition(post, gold, at, dice), gold)


def _plan(gold: Gold) -> tuple[Tool, ...]:
    """People are looked up, what has several faces is looked at, brands are known."""
    if not gold.entities:
        return ()
    first = gold.entities[0]
    courses = {"PER": (Tool.TEXT,), "OTHER": (Tool.TEXT, Tool.IMAGE)}
    return (Tool.TEXT,) if first.span.exact in FACTS else courses.get(first.type, ())


def _recognition(post: Post, gold: Gold, at: datetime, dice: random.Random) -> Recognition:
    plan = _plan(gold)
    rounds, found = [], {}
    for tool in plan:
        name = gold.entities[0].span.exact
        ms = dice.uniform(300, 900)
        rounds.append(
            Round(
                action=RoundAction(tool.value),
                queries=(name,),
                results=2,
                prompt_tokens=180,
                output_tokens=dice.randrange(20, 60),
                engine_ms=ms,
                search_ms=dice.uniform(20, 300),
                reason=WHY[tool].format(name=name),
            )
        )
        found[tool] = _evidence(tool, name, at)
    named = ", ".join(entity.span.exact for entity in gold.entities[:3])
    rounds.append(
        Round(
            action=RoundAction.ANSWER,
            prompt_tokens=240,
            output_tokens=48,
            engine_ms=dice.uniform(400, 1500),
            reason=f"{named}: that is all that is named here." if named else "Nothing here has a name.",
        )
    )
    engine_ms = sum(one.engine_ms for one in rounds)
    search_ms = sum(one.search_ms for one in rounds)
    return Recognition(
        post_id=post.id,
        created_at=post.created_at,
        source=post.source,
        lang=post.lang,
        recognised_at=at,
        picture=_facts(post, gold),
        entities=tuple(
            _entity(post, each, plan if number == 0 else (), found)
            for number, each in enumerate(gold.entities)
        ),
        rounds=tuple(rounds),
        repairs={},
        outcome=Outcome.of(gold.degraded),
        model=MODEL,
        timings=Timings(
            picture_ms=9.0 if post.image else 0.0,
            engine_ms=engine_ms,
            search_ms=search_ms,
            total_ms=engine_ms + search_ms + 9,
        ),
    )


def _facts(post: Post, gold: Gold) -> PictureFacts | None:
    if post.image is None:
        return None
    data = picture_bytes(post)
    if gold.missing is not None or data is None:
        return PictureFacts(missing=gold.missing or "http_404")
    try:
        picture = prepare(data, SIZE, PictureLimits())
    except PictureError as error:
        return PictureFacts(missing=error.reason)
    return PictureFacts(sha256=picture.sha256, width=picture.original.width, height=picture.original.height)


def _entity(
    post: Post, gold: GoldEntity, plan: tuple[Tool, ...], found: dict[Tool, Evidence]
) -> GroundedEntity:
    span = Span(gold.span.start, gold.span.end, gold.span.exact)
    knowledge = {(): Knowledge.INTERNAL, (Tool.TEXT,): Knowledge.TEXT, (Tool.IMAGE,): Knowledge.IMAGE}
    return GroundedEntity(
        id=entity_id(post.id, span.start, span.end, gold.type),
        span=span,
        type=gold.type,
        box_px=gold.boxes_px[0] if gold.boxes_px else None,
        knowledge=knowledge.get(plan, Knowledge.TEXT_IMAGE),
        evidence=tuple(found[tool] for tool in plan),
    )


def _evidence(tool: Tool, name: str, at: datetime) -> Evidence:
    return Evidence(
        tool=tool,
        provider="local",
        query=name,
        title=name if tool is Tool.TEXT else f"Pictures of {name}",
        url=f"https://encyclopedia.example/wiki/{name.replace(' ', '_')}",
        snippet=FACTS.get(name, f"{name}: what the index knows of this name, in one sentence."),
        retrieved_at=at,
    )


def letters() -> tuple[DeadLetter, ...]:
    """One of each kind that our own posts lead to."""
    told = [
        (
            "not_json",
            "not JSON: unexpected end of data: line 1 column 47 (char 46)",
            b'{"id": "sake-demo-torn", "text": "half a po',
        ),
        (
            "not_the_schema",
            "not a Post: Expected `str`, got `int` - at `$.id`",
            b'{"id": 7, "text": "seven"}',
        ),
        (
            "duplicate_key",
            "the key 'text' occurs twice in one object",
            b'{"id": "x", "text": "a", "text": "b"}',
        ),
    ]
    return tuple(
        DeadLetter(
            key=f"sake-demo-broken-{number}".encode(),
            value=value,
            why=msgspec.structs.replace(
                why_dead(
                    PostError(message),
                    topic="sake.posts",
                    partition=number,
                    offset=40 + number,
                    stage=Stage.DECODE,
                    attempt=1,
                    reason=reason,
                ),
                time=NOW,
            ),
        )
        for number, (reason, message, value) in enumerate(told)
    )


RISING = (
    ("Spotify", "ORG", 5.1),
    ("Zanzibar", "LOC", 2.2),
    ("NASA", "ORG", 1.1),
    ("Golden Gate Bridge", "LOC", 0.6),
    ("Neema", "PER", 0.4),
    ("渋谷", "LOC", 0.2),
    ("Apple", "ORG", -0.2),
)


def trends(windows: int = 40, seed: int = 3) -> Iterator[Trend]:
    """Names that rise and fall, in windows of one and of five minutes; the first of them bursts."""
    for length_s in (60, 300):
        dice = random.Random(seed)
        last = NOW.replace(second=0, microsecond=0)
        for exact, type_, lift in RISING:
            usual = dice.uniform(3, 14) * length_s / 60
            for back in range(windows, 0, -1):
                start = last - back * timedelta(seconds=length_s)
                swing = 1 + lift * max(0.0, 1 - back / 6) + dice.uniform(-0.35, 0.35)
                mentions = max(1, round(usual * swing))
                yield Trend(
                    name=exact.casefold(),
                    type=type_,
                    window_start=start,
                    window_end=start + timedelta(seconds=length_s),
                    mentions=mentions,
                    posts=max(1, mentions - 2),
                    grounded=mentions // 3,
                    examples=(TrendExample(post_id="p", exact=exact, at=start),),
                    moment=TrendMoment.CLOSED,
                    expected=usual,
                    deviation=usual / 4,
                    burst_score=round((mentions - usual) / (usual / 2), 2),
                    bursting=lift > 2 and back < 4,
                )


def mention_of(shown: Shown, brand: str, *, posts: int = 1) -> Mention:
    """The post's first organisation as a mention, with its crop when the picture shows it."""
    entity = next(each for each in shown.recognition.entities if each.type == "ORG")
    crop = None
    data = picture_bytes(shown.post)
    if entity.box_px is not None and data is not None:
        crop = _crop(data, entity)
    return Mention(
        brand=brand,
        name=brand.casefold(),
        entity=entity,
        post_id=shown.post.id,
        created_at=shown.post.created_at,
        recognised_at=shown.recognition.recognised_at,
        source=shown.post.source,
        lang=shown.post.lang,
        model_digest=MODEL.digest,
        id=f"mention-{brand}-{shown.post.id}",
        posts=posts,
        matched=brand,
        matched_by=MatchedBy.NAME,
        text=shown.post.text,
        picture=shown.recognition.picture,
        crop=crop,
    )


def _crop(data: bytes, entity: GroundedEntity) -> Crop:
    assert entity.box_px is not None
    x1, y1, x2, y2 = entity.box_px
    margin = 0.15 * max(x2 - x1, y2 - y1)
    place = (x1 - margin, y1 - margin, x2 + margin, y2 + margin)
    image = Image.open(io.BytesIO(data)).convert("RGB").crop(tuple(round(side) for side in place))  # type: ignore[arg-type]
    out = io.BytesIO()
    image.save(out, "JPEG")
    return Crop(
        data=base64.b64encode(out.getvalue()).decode(),
        width=image.width,
        height=image.height,
        shows_px=tuple(max(0.0, side) for side in place),  # type: ignore[arg-type]
    )
