"""Labelled posts as the dialogues that a model should lead: what is learnt is what is served."""

from __future__ import annotations

from random import Random

from PIL import Image

from sake_model.corpora.labelled import Box, LabelledPost
from sake_model.grounding import BoxFrame, ResizeLimits, Size, from_original, smart_resize
from sake_model.protocol.turns import Answer, Mention, RawBox, Turn, render_turn
from training.data.tweet_form import natural_form, recased
from training.sft.encode import ChatTurn, Picture

__all__ = [
    "HUNDREDTH",
    "answer_turn",
    "largest",
    "picture_dialogue",
    "reason_of",
    "text_dialogue",
    "varied",
    "written_box",
]

NATURAL_SHARE = 0.5
"""Share of tweets in the form in which people write them; the rest as the corpus splits them."""
RECASED_SHARE = 0.06
"""Share of tweets all in lower or upper case, as some people write."""
NO_NAMES = "No names."
HUNDREDTH = 10
"""Of a side, in the normalised frame."""


def reason_of(names: tuple[str, ...]) -> str:
    """The short reason of a post that needs no search: which names it holds."""
    return f"Names: {', '.join(names)}." if names else NO_NAMES


def answer_turn(post: LabelledPost, picture: Picture | None = None) -> str:
    """The assistant's turn; boxes (normalised, the largest of each entity) where there is a picture."""
    names = tuple(post.exact(entity) for entity in post.entities)
    boxes = [
        written_box(
            largest(entity.boxes), BoxFrame.NORMALISED, resized=picture.resized, original=picture.original
        )
        if picture and entity.boxes
        else None
        for entity in post.entities
    ]
    mentions = tuple(
        Mention(name, entity.type, box) for name, entity, box in zip(names, post.entities, boxes, strict=True)
    )
    return render_turn(Turn(reason_of(names), Answer(mentions)))


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


def written_box(box: Box, frame: BoxFrame, *, resized: Size, original: Size) -> RawBox:
    """A box in pixels of the original picture as an answer is to write it: whole pixels of the resized
    picture, or hundredths of its sides.

    A picture of the default checkpoint has 280 px a side at most: the last digit of thousandths would be
    noise, and most of what a box's loss is made of.
    """
    step = HUNDREDTH if frame is BoxFrame.NORMALISED else 1
    x1, y1, x2, y2 = (
        float(step * round(number / step))
        for number in from_original(box, frame, resized=resized, original=original)
    )
    return x1, y1, x2, y2


def largest(boxes: tuple[Box, ...]) -> Box:
    """The box that an answer gives of an entity with several. Raises ValueError without any."""
    return max(boxes, key=_area)


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
