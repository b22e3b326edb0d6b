"""Looking for posts: words and keys, all of which must hold."""

from __future__ import annotations

import pytest
from support.records import entity, post, recognition

from schemas.recognitions import Outcome, Round, RoundAction
from workers.console.cards import Card
from workers.console.find import Find
from workers.console.join import Joined

CARD = Card(1, Joined(post(source="Mastodon"), recognition(source="Mastodon"), 1))
PLAIN = Card(
    2,
    Joined(
        post(text="Ada sings"),
        recognition(
            entity("Ada", "PER", text="Ada sings"),
            picture=None,
            rounds=(Round(action=RoundAction.ANSWER),),
            outcome=Outcome.of(()),
        ),
        1,
    ),
)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "spotify",
        "SPOTIFY warriors",
        "type:org",
        "type:LOC chase",
        "source:mastodon",
        "is:searched",
        "is:degraded",
        "is:boxed",
        "is:pictured",
        "p1",
        "golden type:org is:searched",
    ],
)
def test_what_holds_for_this_post(text: str) -> None:
    assert Find.parse(text).holds(CARD)


@pytest.mark.parametrize(
    "text",
    [
        "type:org",
        "is:searched",
        "is:degraded",
        "is:boxed",
        "is:pictured",
        "source:mastodon",
        "spotify",
        "ada spotify",
        "is:nonsense",
        "https://x",
        "type:",
    ],
)
def test_what_does_not_hold_for_another(text: str) -> None:
    assert not Find.parse(text).holds(PLAIN)


def test_what_is_typed_is_bounded() -> None:
    assert len(Find.parse("x " * 100_000).words) <= 100
    assert not Find.parse("   ")
