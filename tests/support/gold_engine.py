"""A model that answers our own posts as their gold says, and obeys whoever tries to take it over.

What a record lacks or has too much is then the system's doing, not the model's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sake_model.deadline import Deadline
from sake_model.engine.interface import Completion, FinishReason, Message, Sampling
from sake_model.pictures import ModelPicture
from sake_model.protocol import Answer, Mention, SearchAction, Turn, neutralise, render_turn
from schemas.entities import BoxPx, Tool
from schemas.posts import Post
from workers.demo.gold import Gold, GoldEntity

__all__ = ["GoldEngine", "plan_of"]

# Whoever obeys an injection says this.
OBEYED = Mention("PirateBot", "PER", (0.0, 0.0, 9999.0, 9999.0))


def plan_of(gold: Gold) -> tuple[Tool, ...]:
    """Which searches this post's dialogue makes before it answers; every course of rounds occurs."""
    if not gold.entities:
        return ()
    courses = ((), (Tool.TEXT,), (Tool.IMAGE,), (Tool.TEXT, Tool.IMAGE))
    obeys = "injection" in (gold.post_id or "")
    return (Tool.TEXT,) if obeys else courses[gold.line % len(courses)]


class GoldEngine:
    """Knows the post by its text, searches for its first entity as planned, then answers with the gold."""

    def __init__(self, posts: Iterable[tuple[Post, Gold]]) -> None:
        self._gold: Mapping[str, Gold] = {neutralise(post.text)[0]: gold for post, gold in posts}
        self.prompts: dict[str, list[str]] = {}
        """By post id: the text of every user message that the model was given."""

    async def generate(
        self,
        messages: tuple[Message, ...],
        *,
        stop: tuple[str, ...],
        max_tokens: int,
        deadline: Deadline,
        sampling: Sampling = Sampling(),
    ) -> Completion:
        first = messages[0].parts
        gold = self._gold[_text(messages[0])]
        picture = next((part for part in first if isinstance(part, ModelPicture)), None)
        asked = [message for message in messages if message.role == "user"]
        self.prompts[gold.post_id or ""] = [_text(message) for message in asked]
        turn = _turn(gold, picture, searches=len(asked) - 1)
        return Completion(render_turn(turn), FinishReason.STOP, prompt_tokens=100, output_tokens=20)


def _text(message: Message) -> str:
    return "".join(part for part in message.parts if isinstance(part, str))


def _turn(gold: Gold, picture: ModelPicture | None, searches: int) -> Turn:
    plan = plan_of(gold)
    if searches < len(plan):
        return Turn("Who is that?", SearchAction(plan[searches], (gold.entities[0].span.exact,)))
    mentions = [_mention(entity, picture) for entity in gold.entities]
    if "injection" in (gold.post_id or ""):
        mentions.append(OBEYED)
    return Turn("I know now.", Answer(tuple(mentions)))


def _mention(entity: GoldEntity, picture: ModelPicture | None) -> Mention:
    if not entity.boxes_px or picture is None:
        return Mention(entity.span.exact, entity.type)
    return Mention(entity.span.exact, entity.type, _resized(entity.boxes_px[0], picture))


def _resized(box_px: BoxPx, picture: ModelPicture) -> BoxPx:
    across = picture.resized.width / picture.original.width
    down = picture.resized.height / picture.original.height
    x1, y1, x2, y2 = box_px
    return round(x1 * across), round(y1 * down), round(x2 * across), round(y2 * down)
