"""What the benchmarks on a real engine share: posts that are new in every run, forced searches, a
search of a given slowness, and the bare requests that a run of posts comes down to.

Every run has posts and pictures of its own, since a server remembers prompts and pictures.
"""

from __future__ import annotations

import asyncio
import base64
import io
import random
import zlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from PIL import Image

from sake_model.deadline import Deadline
from sake_model.dialogue import Ask, Dialogue, DialogueLimits, Lookup, Observation
from sake_model.engine.interface import Completion, Engine, FinishReason, Message, Sampling
from sake_model.grounding import ResizeLimits
from sake_model.pictures import prepare
from sake_model.prompts import PromptSet
from sake_model.search.interface import SearchOutcome, SearchRequest, SearchResult
from schemas.posts import ImageSource, Post

SUBJECTS = (
    "Messi",
    "the mayor of Osaka",
    "Nike",
    "Taylor Swift",
    "NASA",
    "our dog",
    "Borussia",
    "Ada Lovelace",
)
PLACES = ("Lisbon", "the Maracanã", "Camden Town", "Nairobi", "home", "Lake Tahoe", "Seoul", "Wembley")
MOODS = (
    "what a night 🎉",
    "can't believe it",
    "so proud of you all",
    "this again…",
    "see you there!",
    "RT if you agree",
)
BENCH_DEADLINE_S = 600.0
# A small model may repeat itself up to the limit: one such post would decide a short run.
BENCH_DIALOGUE = DialogueLimits(turn_tokens=128)


@dataclass(frozen=True, slots=True)
class Workload:
    """One run: how many posts, how many of them search."""

    run: str
    """Unique name: it is part of every text and seeds every picture."""
    posts: int
    searching: float = 0.0
    """Share of posts whose first turn is a text search."""
    pictured: float = 0.5
    """Share of posts with a picture."""

    def make(self) -> list[Post]:
        """The posts."""
        return [self._post(number) for number in range(self.posts)]

    def searches(self, text: str) -> bool:
        """Whether the post of this text is one that searches."""
        return zlib.crc32(f"search {text}".encode()) % 1000 < 1000 * self.searching

    def _post(self, number: int) -> Post:
        draw = random.Random(f"{self.run} {number}")
        text = (
            f"{self.run}{number} {draw.choice(SUBJECTS)} at {draw.choice(PLACES)} "
            f"with {draw.choice(SUBJECTS)}, {draw.choice(MOODS)} #{draw.choice(PLACES).split()[-1]}"
        )
        image = (
            ImageSource(data=base64.b64encode(picture(draw)).decode())
            if draw.random() < self.pictured
            else None
        )
        return Post(id=f"{self.run}-{number}", text=text, image=image)


def picture(draw: random.Random) -> bytes:
    """A small JPEG that no other post has: soft blobs of colour."""
    tiny = Image.frombytes("RGB", (8, 6), draw.randbytes(8 * 6 * 3))
    out = io.BytesIO()
    tiny.resize((320, 240), Image.Resampling.BICUBIC).save(out, "JPEG", quality=85)
    return out.getvalue()


@dataclass(slots=True)
class ForcedSearch:
    """The real engine; only the wording of chosen first turns is replaced by a search.

    Which posts search must not hang on the checkpoint that is measured. The server does the full
    work of the turn all the same.
    """

    engine: Engine
    workload: Workload
    first_s: float = field(default=0.0)
    """When the first request was made, on the loop's clock."""

    async def generate(
        self,
        messages: tuple[Message, ...],
        *,
        stop: tuple[str, ...],
        max_tokens: int,
        deadline: Deadline,
        sampling: Sampling = Sampling(),
    ) -> Completion:
        """As the engine's; see the class."""
        self.first_s = self.first_s or asyncio.get_running_loop().time()
        turn = await self.engine.generate(
            messages, stop=stop, max_tokens=max_tokens, deadline=deadline, sampling=sampling
        )
        return forced(turn, messages, self.workload)


def forced(turn: Completion, messages: tuple[Message, ...], workload: Workload) -> Completion:
    """The turn, or a search in its place where this dialogue has just begun and is to search."""
    text = text_of(messages)
    if len(messages) > 1 or not workload.searches(text):
        return turn
    query = text.split()[1]
    wording = (
        f'<reason>Not sure.</reason><text_search>[{{"query": "{query} {text.split()[0]}"}}]</text_search>'
    )
    return replace(turn, text=wording, finish=FinishReason.STOP)


def text_of(messages: tuple[Message, ...]) -> str:
    """The post's text: the first message of the `compact` prompts holds nothing else in words."""
    return next(part for part in messages[0].parts if isinstance(part, str))


@dataclass(frozen=True, slots=True)
class SlowSearch:
    """Answers every request after the same time."""

    latency_s: float

    async def search(self, request: SearchRequest, deadline: Deadline) -> SearchOutcome:
        """One result, always the same but for the query."""
        if self.latency_s:
            await asyncio.sleep(self.latency_s)
        return SearchOutcome((result(request),), "bench")


def result(request: SearchRequest) -> SearchResult:
    """What every search of a benchmark finds."""
    return SearchResult(
        provider="bench", query=request.query, title=request.query, url="https://example.org/",
        snippet="A well-known name; much was written about it.", retrieved_at=datetime.now(UTC),
    )  # fmt: skip


def bare_requests(workload: Workload, prompts: PromptSet, size: ResizeLimits | None) -> list[list[Ask]]:
    """The engine requests that each post comes down to, with pictures decoded and prompts rendered.

    `size` is that of the pictures; None for a model that is shown none.
    """
    return [_asks(post, workload, prompts, size) for post in workload.make()]


def _asks(post: Post, workload: Workload, prompts: PromptSet, size: ResizeLimits | None) -> list[Ask]:
    source = post.image.data if post.image else None
    shown = prepare(base64.b64decode(source), size) if source and size else None
    dialogue = Dialogue.begin(post.text, shown, prompts, BENCH_DIALOGUE)
    answer = Completion("<reason>.</reason><answer>[]</answer>", FinishReason.STOP, 1, 1)
    asks: list[Ask] = []
    while isinstance(step := dialogue.step, Ask | Lookup):
        if isinstance(step, Ask):
            asks.append(step)
            dialogue = dialogue.after_turn(forced(answer, step.messages, workload))
        else:
            found = tuple(Observation(request, (result(request),)) for request in step.requests)
            dialogue = dialogue.after_search(found)
    return asks


async def straight(engine: Engine, dialogues: list[list[Ask]], concurrency: int) -> float:
    """Sends bare requests, `concurrency` posts at a time; the seconds that it took."""
    places = asyncio.Semaphore(concurrency)

    async def one(asks: list[Ask]) -> None:
        async with places:
            for ask in asks:
                await engine.generate(
                    ask.messages,
                    stop=ask.stop,
                    max_tokens=ask.max_tokens,
                    deadline=Deadline.after(BENCH_DEADLINE_S),
                )

    loop = asyncio.get_running_loop()
    started_s = loop.time()
    await asyncio.gather(*map(one, dialogues))
    return loop.time() - started_s
