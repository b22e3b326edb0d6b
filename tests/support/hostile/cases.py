"""What a case of the hostile table is, and how its end is reached: through the real processor.

Everything is real (codec, picture guard and decoder, dialogue, protocol, search pool and provider over
HTTP, record checks) but the engine, which says what the case makes it say, and Kafka.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import orjson
from support.images import encoded, quadrants
from support.scripted_engine import ScriptedEngine, ScriptedTurn
from support.search_server import SearchServer, search_server

from sake_model.deadline import Deadline
from sake_model.grounding import BoxFrame, ResizeLimits
from sake_model.prompts import load_prompts
from sake_model.recogniser import Recogniser, RecogniserLimits
from sake_model.search.cache import SearchCache
from sake_model.search.interface import Search
from sake_model.search.limits import ProviderLimits, RetryPolicy
from sake_model.search.pool import Member, SearchPool
from sake_model.search.remote import SearxngProvider
from schemas.recognitions import ModelRef, Recognition
from workers.fetch import FetchLimits, PictureSource, PostPictures
from workers.recognise.messages import InMessage, StagedPostError
from workers.recognise.processor import PostProcessor
from workers.topics import TopicNames

__all__ = ["ANSWER", "TEXT", "Case", "DeadLetter", "Recognised", "end_of", "picture_post", "post"]

TEXT = "Messi joined PSG in Paris"
ANSWER = '<reason>Known.</reason><answer>[{"entity": "Messi", "type": "PER", "box2d": []}]</answer>'

PROMPTS = load_prompts("compact")
MODEL = ModelRef(name="scripted", digest="sha256:0", prompts_digest=PROMPTS.digest)
TOPICS = TopicNames.of("sake")
# Small, so that pictures cost little; 120 by 80 becomes 112 by 84.
SIZE = ResizeLimits(min_pixels=56 * 56, max_pixels=112 * 112)
FETCH = FetchLimits(total_s=1.0, connect_s=0.3, attempts=1, retry_s=0.01)
SEARCH = ProviderLimits(timeout_s=0.3, retry=RetryPolicy(attempts=1))


@dataclass(frozen=True)
class DeadLetter:
    """The post ends in the dead letters."""

    stage: str
    reason: str


@dataclass(frozen=True)
class Recognised:
    """The post ends as a recognition; `degraded` holds the reasons, none = complete."""

    entities: tuple[str, ...] = ("Messi/PER",)
    """`exact/TYPE`, with a `+box` where there is one, in the order of the text."""
    degraded: tuple[str, ...] = ()
    missing: str | None = None
    """Why there is no picture."""
    repairs: frozenset[str] = frozenset()
    evidence: int = 0
    """Search results on record, all entities together."""


@dataclass(frozen=True)
class Case:
    """One row: what comes in, and how it must end."""

    id: str
    value: bytes | None
    end: DeadLetter | Recognised
    turns: tuple[ScriptedTurn, ...] = (ANSWER,)
    search: Callable[[SearchServer], None] | None = field(default=None, repr=False)
    """Prepares a search server; None = the model is told of no search."""


def post(**fields: Any) -> bytes:
    """A post as it stands in Kafka; a good one but for what is given."""
    return orjson.dumps({"id": "p1", "text": TEXT} | fields)


def picture_post(data: bytes | None = None) -> bytes:
    """A post that carries these bytes as its picture; a good picture without them."""
    data = encoded(quadrants(120, 80)) if data is None else data
    return post(image={"data": base64.b64encode(data).decode()})


async def end_of(case: Case, root: Path | None = None) -> DeadLetter | Recognised:
    """How the case truly ends. `root`: the folder for posts that name files."""
    if case.search is None:
        return await _processed(case, root, None)
    async with search_server() as server:
        case.search(server)
        async with SearchPool((Member(SearxngProvider(server.url), SEARCH),), SearchCache(None)) as pool:
            return await _processed(case, root, pool)


async def _processed(case: Case, root: Path | None, search: Search | None) -> DeadLetter | Recognised:
    fetch = replace(FETCH, root=root)
    pictures = PostPictures(PictureSource(fetch), SIZE, fetch)
    engine = ScriptedEngine(case.turns)
    limits = RecogniserLimits(answer_reserve_s=0.5)
    recogniser = Recogniser(engine, search, PROMPTS, MODEL, BoxFrame.RESIZED, limits=limits)
    message = InMessage(TOPICS.posts, 0, 0, 0, b"p1", case.value, ())
    try:
        processor = PostProcessor(recogniser, pictures, TOPICS)
        recognition, *entities = await processor.process(message, Deadline.after(4.0))
    except StagedPostError as error:
        return DeadLetter(error.stage.value, getattr(error.__cause__, "reason", "?"))
    finally:
        await pictures.close()
    assert recognition.value is not None
    record = msgspec.json.decode(recognition.value, type=Recognition)
    assert len(entities) == len(record.entities)
    return _shortened(record)


def _shortened(record: Recognition) -> Recognised:
    return Recognised(
        entities=tuple(
            f"{entity.span.exact}/{entity.type}{'+box' if entity.box_px else ''}"
            for entity in record.entities
        ),
        degraded=tuple(reason.value for reason in record.outcome.reasons),
        missing=record.picture.missing if record.picture else None,
        repairs=frozenset(record.repairs),
        evidence=sum(len(entity.evidence) for entity in record.entities),
    )
