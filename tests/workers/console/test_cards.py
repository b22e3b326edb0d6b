"""What the page is told of a post: cut in places that code points name, bounded, nothing but data."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st
from support.records import NOON, PICTURE, TEXT, entity, evidence, post, recognition

from schemas.entities import Evidence, GroundedEntity, Span, Tool
from schemas.posts import Post
from schemas.recognitions import DegradedReason, Outcome, PictureFacts, Recognition, Round, RoundAction
from workers.console.cards import MAX_TEXT_CHARS, Card, card_of, parts_of
from workers.console.join import Joined


def said(parts: list[Any]) -> str:
    return "".join(part if isinstance(part, str) else part[0] for part in parts)


def card(found: Recognition, of: Post | None = None, picture: str | None = "ab" * 12) -> dict[str, Any]:
    return card_of(1, Joined(of, found, 1), picture)


@st.composite
def texts_with_spans(draw: st.DrawFn) -> tuple[str, list[GroundedEntity]]:
    text = draw(st.text(min_size=1, max_size=80))
    places = sorted(draw(st.sets(st.integers(0, len(text)), max_size=8)))
    pairs = zip(places[::2], places[1::2], strict=False)
    return text, [
        GroundedEntity(id="e", span=Span(start, end, text[start:end]), type="PER")
        for start, end in pairs
        if start < end
    ]


@given(texts_with_spans())
def test_the_parts_are_the_text_and_each_entity_has_its_own(case: tuple[str, list[GroundedEntity]]) -> None:
    text, entities = case
    parts = parts_of(text, entities)
    assert len(said(parts)) == len(text)
    marked = [part for part in parts if not isinstance(part, str)]
    assert [number for _, number in marked] == list(range(len(entities)))
    assert [len(exact) for exact, _ in marked] == [len(each.span.exact) for each in entities]


def test_spans_count_code_points_not_utf_16_units() -> None:
    parts = parts_of("🎧🎧 Spotify 🎧", [entity("Spotify", text="🎧🎧 Spotify 🎧")])
    assert parts == ["🎧🎧 ", ["Spotify", 0], " 🎧"]


def test_a_text_of_any_length_and_number_of_entities_makes_a_small_card() -> None:
    text = "Ada " * 30_000
    many = tuple(
        GroundedEntity(id="e", span=Span(at * 4, at * 4 + 3, "Ada"), type="PER", evidence=(evidence(),) * 30)
        for at in range(3_000)
    )
    turn = Round(action=RoundAction.TEXT_SEARCH, queries=("x" * 9_000,) * 50, reason="y" * 9_000)
    told = card(recognition(*many, rounds=(turn,) * 40), post(text=text))
    assert len(orjson.dumps(told)) < 300_000
    assert len(said(told["parts"])) == MAX_TEXT_CHARS + 1
    assert told["cut"]
    assert told["more_entities"] == 3_000 - 40


def test_boxes_are_per_cent_of_the_original_picture() -> None:
    seen = entity("Spotify", box_px=(64.0, 48.0, 320.0, 240.0))
    (told,) = card(recognition(seen), post())["entities"]
    assert told["box"] == [10, 10, 40, 40]


def test_a_box_outside_its_picture_stays_inside_the_frame() -> None:
    (told,) = card(recognition(entity("Spotify", box_px=(600.0, 0.0, 9_000.0, 9_000.0))), post())["entities"]
    left, top, wide, high = told["box"]
    assert left + wide <= 100
    assert top + high <= 100


def test_evidence_has_a_link_only_where_it_may_be_followed() -> None:
    hostile = Evidence(
        tool=Tool.TEXT,
        provider="p",
        query="q",
        title="<b>t</b>",
        url="javascript:alert(1)",
        snippet="s",
        retrieved_at=NOON,
    )
    (told,) = card(recognition(entity("Spotify", found=(hostile, evidence()))), post())["entities"]
    assert [each["url"] for each in told["evidence"]] == [
        None,
        "https://encyclopedia.example/Golden_State_Warriors",
    ]
    assert told["evidence"][0]["title"] == "<b>t</b>"  # shown as it is: the page makes no markup of it


def test_a_post_without_text_at_hand_still_tells_what_was_found() -> None:
    told = card(recognition(), None)
    assert told["parts"] is None
    assert len(told["entities"]) == 3


def test_why_there_is_no_picture() -> None:
    gone = recognition(
        picture=PictureFacts(missing="http_404"), outcome=Outcome.of((DegradedReason.NO_PICTURE,))
    )
    assert card(gone, post())["picture"] == {"missing": "http_404"}
    assert card(recognition(picture=None), post())["picture"] is None
    assert card(recognition(picture=PICTURE), post(), picture=None)["picture"] == {"missing": "not_at_hand"}
    assert card(recognition(picture=PICTURE), post())["picture"] == {
        "src": "picture/" + "ab" * 12,
        "width": 640,
        "height": 480,
    }


def test_a_card_is_made_once_and_is_json() -> None:
    one = Card(7, Joined(post(), recognition(), 1))
    assert one.json is one.json
    assert orjson.loads(one.json)["n"] == 7
    assert TEXT.casefold() in one.haystack
