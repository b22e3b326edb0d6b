"""What a person sees: marked spans, evidence, reasons; a post cannot drive the terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console, RenderableType
from support.screen_records import NOW, entity, letter, recognition

from schemas.entities import Evidence, Knowledge, Tool
from schemas.posts import Post
from schemas.recognitions import (
    DegradedReason,
    Outcome,
    PictureFacts,
    Round,
    RoundAction,
)
from workers.demo.screen import dead_letter_lines, marked_text, post_lines, status_line, summary_table
from workers.demo.tally import Tally


def shown(renderable: RenderableType) -> str:
    stream = io.StringIO()
    Console(file=stream, width=140, color_system=None).print(renderable)
    return stream.getvalue()


def test_entities_are_marked_where_they_stand() -> None:
    text = "Ada met Bob in Rome"
    found = (entity(text, "Rome", "LOC"), entity(text, "Ada"))
    assert marked_text(text, found).plain == "[Ada PER] met Bob in [Rome LOC]"


def test_a_post_tells_its_way_its_boxes_and_its_evidence() -> None:
    text = "Ada is here"
    evidence = Evidence(
        tool=Tool.TEXT,
        provider="local",
        query="Ada",
        title="Ada Lovelace",
        url="https://example.org",
        snippet="mathematician",
        retrieved_at=NOW,
    )
    found = entity(
        text,
        "Ada",
        box_px=(1.2, 2, 30, 40),
        evidence=(evidence,),
        knowledge=Knowledge.TEXT,
        fine_type="scientist",
    )
    rounds = (
        Round(action=RoundAction.TEXT_SEARCH, queries=("Ada",), results=1),
        Round(action=RoundAction.ANSWER),
    )
    screen = shown(post_lines(3, Post(id="p1", text=text), recognition(found, rounds=rounds)))
    assert "   3 p1  text search “Ada” (1) → answer  ·  1,234 ms" in screen
    assert "[Ada scientist] is here" in screen
    assert "• Ada  PER/scientist  box 1 2 30 40  text  ← local: Ada Lovelace: mathematician" in screen


def test_a_degraded_post_says_why() -> None:
    outcome = Outcome.of((DegradedReason.NO_PICTURE,))
    facts = PictureFacts(missing="http_404")
    screen = shown(post_lines(1, Post(id="p1", text="x"), recognition(outcome=outcome, picture=facts)))
    assert "degraded: no_picture (http_404)" in screen


@pytest.mark.parametrize("evil", ["\x1b[2J", "\x1b]0;title\x07", "\r", "\u202e", "\x00", "\x9b5m"])
def test_a_post_cannot_drive_the_terminal(evil: str) -> None:
    text = f"before {evil} Ada"
    post = Post(id=f"id{evil}", text=text)
    screen = shown(post_lines(1, post, recognition(entity(text, "Ada"), post_id=post.id)))
    screen += shown(dead_letter_lines(2, letter(f"bad {evil}")))
    assert not {"\x1b", "\r", "\u202e", "\x00", "\x9b", "\x07"} & set(screen)
    assert "before" in screen


@pytest.mark.parametrize("markup", ["[bold red]", "[/]", ":smile:"])
def test_what_looks_like_our_markup_is_text(markup: str) -> None:
    post = Post(id="p1", text=f"before {markup} after")
    assert f"before {markup} after" in shown(post_lines(1, post, recognition()))


def test_a_dead_letter_says_what_where_and_why() -> None:
    screen = shown(dead_letter_lines(7, letter()))
    assert "   7 p9  dead letter: not_json at decode" in screen
    assert "not JSON" in screen


def test_the_summary_counts_what_went_by() -> None:
    text = "Ada is in Rome"
    tally = Tally(expected=3)
    rounds = (
        Round(action=RoundAction.TEXT_SEARCH, queries=("Ada", "Rome"), results=3),
        Round(action=RoundAction.ANSWER),
    )
    tally.add(recognition(entity(text, "Ada", box_px=(0, 0, 1, 1)), entity(text, "Rome"), rounds=rounds))
    tally.add(recognition(outcome=Outcome.of((DegradedReason.DEADLINE,)), repairs={"no_action": 2}))
    assert not tally.complete
    tally.bury(letter())
    assert tally.complete
    table = shown(summary_table(tally, 2.0, {"checkpoint": "mine [x]"}))
    for row in (
        "3 of 3 in 2.0 s, 1.5 a second",
        "2, 1 with a box, 0 with evidence",
        "2 text_search; 3 results",
        "1 posts: 1 deadline",
        "2 no_action",
        "1 not_json",
        "mine [x]",
    ):
        assert row in table
    assert "3/3[/] posts" in status_line(tally, 2.0)


def test_latencies_are_by_nearest_rank() -> None:
    tally = Tally(expected=10)
    tally.latencies_ms = [float(each) for each in range(1, 101)]
    assert (tally.latency_ms(0.5), tally.latency_ms(0.95)) == (51.0, 96.0)
    assert Tally(expected=0).latency_ms(0.5) == 0.0
