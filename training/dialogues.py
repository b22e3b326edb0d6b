"""Labelled posts as the dialogues that a model should lead: what is learnt is what is served."""

from __future__ import annotations

from random import Random

from sake_model.protocol.turns import Answer, Mention, Turn, render_turn
from training.data.labelled import LabelledPost
from training.data.tweet_form import natural_form, recased
from training.sft.encode import ChatTurn

__all__ = ["answer_turn", "reason_of", "text_dialogue", "varied"]

NATURAL_SHARE = 0.5
"""Share of tweets in the form in which people write them; the rest as the corpus splits them."""
RECASED_SHARE = 0.06
"""Share of tweets all in lower or upper case, as some people write."""
NO_NAMES = "No names."


def reason_of(names: tuple[str, ...]) -> str:
    """The short reason of a post that needs no search: which names it holds."""
    return f"Names: {', '.join(names)}." if names else NO_NAMES


def answer_turn(post: LabelledPost) -> str:
    """The assistant's turn for a post without a picture."""
    names = tuple(post.exact(entity) for entity in post.entities)
    mentions = tuple(Mention(name, e.type) for name, e in zip(names, post.entities, strict=True))
    return render_turn(Turn(reason_of(names), Answer(mentions)))


def varied(post: LabelledPost, random: Random) -> LabelledPost:
    """The tweet in one of the forms in which it may come."""
    if random.random() < NATURAL_SHARE:
        post = natural_form(post)
    return recased(post, random) if random.random() < RECASED_SHARE else post


def text_dialogue(post: LabelledPost) -> tuple[ChatTurn, ...]:
    """The post alone, and the answer from the text alone."""
    return ChatTurn("user", post.text), ChatTurn("assistant", answer_turn(post))
