"""Labelled posts as the dialogues that a model should lead: what is learnt is what is served."""

from __future__ import annotations

from random import Random

from PIL import Image

from sake_model.grounding import BoxFrame, ResizeLimits, Size, from_original, smart_resize
from sake_model.protocol.turns import Answer, Mention, RawBox, Turn, render_turn
from training.data.labelled import Box, LabelledPost
from training.data.tweet_form import natural_form, recased
from training.sft.encode import ChatTurn, Picture

__all__ = ["answer_turn", "picture_dialogue", "reason_of", "text_dialogue", "varied"]

NATURAL_SHARE = 0.5
"""Share of tweets in the form in which people write them; the rest as the corpus splits them."""
RECASED_SHARE = 0.06
"""Share of tweets all in lower or upper case, as some people write."""
NO_NAMES = "No names."


def reason_of(names: tuple[str, ...], seen: tuple[str, ...] = ()) -> str:
    """The short reason of a post that needs no search: which names it holds, which are to be seen."""
    if not names:
        return NO_NAMES
    return f"Names: {', '.join(names)}." + (f" Seen: {', '.join(seen)}." if seen else "")


def answer_turn(post: LabelledPost, picture: Picture | None = None) -> str:
    """The assistant's turn; boxes (normalised, the largest of each entity) where there is a picture."""
    names = tuple(post.exact(entity) for entity in post.entities)
    boxes = [
        _normalised(max(entity.boxes, key=_area), picture) if picture and entity.boxes else None
        for entity in post.entities
    ]
    mentions = tuple(
        Mention(name, entity.type, box) for name, entity, box in zip(names, post.entities, boxes, strict=True)
    )
    seen = tuple(name for name, box in zip(names, boxes, strict=True) if box is not None)
    return render_turn(Turn(reason_of(names, seen), Answer(mentions)))


def varied(post: LabelledPost, random: Random) -> LabelledPost:
    """The post in one of the forms in which it may come; one without tokens is natural already."""
    if post.tokens and random.random() < NATURAL_SHARE:
        post = natural_form(post)
    return recased(post, random) if random.random() < RECASED_SHARE else post


def text_dialogue(post: LabelledPost) -> tuple[ChatTurn, ...]:
    """The post alone, and the answer from the text alone."""
    return ChatTurn("user", post.text), ChatTurn("assistant", answer_turn(post))


def picture_dialogue(post: LabelledPost, limits: ResizeLimits) -> tuple[ChatTurn, ...]:
    """The post with its picture, and the answer with boxes. Raises ValueError without a picture."""
    if post.picture is None:
        raise ValueError(f"{post.id} has no picture")
    with Image.open(post.picture) as image:
        original = Size(*image.size)
    resized = smart_resize(original, limits)
    picture = Picture(post.picture, original, resized, resized.pixels // limits.factor_px**2)
    return ChatTurn("user", post.text, (picture,)), ChatTurn("assistant", answer_turn(post, picture))


def _normalised(box: Box, picture: Picture) -> RawBox:
    x1, y1, x2, y2 = from_original(
        box, BoxFrame.NORMALISED, resized=picture.resized, original=picture.original
    )
    return round(x1), round(y1), round(x2), round(y2)


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
