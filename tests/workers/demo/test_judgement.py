"""Scores against gold, and posts that end as they are meant to."""

from __future__ import annotations

from collections import Counter

from support.screen_records import entity, letter, recognition

from sake_model.scoring import GoldEntity
from schemas.posts import Post
from schemas.recognitions import DegradedReason, Outcome, PictureFacts
from workers.demo.judgement import judged
from workers.demo.material import Material, own_posts
from workers.demo.tally import Tally

TEXT = "Ada is in Rome"
BOX = (0.0, 0.0, 10.0, 10.0)
GOLD = (GoldEntity((0, 3), "Ada", "PER", (BOX,)), GoldEntity((10, 14), "Rome", "LOC"))


def material(**more: object) -> Material:
    facts: dict[str, object] = {"gold": {"dev": {"p1": GOLD}}}
    return Material(name="m", lines=(), posts={"p1": Post(id="p1", text=TEXT)}, **{**facts, **more})  # type: ignore[arg-type]


def test_what_is_right_scores_one() -> None:
    right = recognition(entity(TEXT, "Ada", box_px=BOX), entity(TEXT, "Rome", "LOC"))
    rows = judged(material(), {"p1": right}, Tally(expected=1))
    assert rows == {"F1, dev": "MNER 1.000 over 1 posts; GMNER 1.000, EEG 1.000 over 1 posts"}


def test_a_wrong_box_spoils_the_region_and_a_wrong_type_the_name() -> None:
    wrong = recognition(entity(TEXT, "Ada", box_px=(90, 90, 99, 99)), entity(TEXT, "Rome", "ORG"))
    rows = judged(material(), {"p1": wrong}, Tally(expected=1))
    assert rows["F1, dev"] == "MNER 0.500 over 1 posts; GMNER 0.000, EEG 0.500 over 1 posts"


def test_boxes_in_a_picture_that_is_not_here_are_not_scored() -> None:
    found = recognition(entity(TEXT, "Ada"), entity(TEXT, "Rome", "LOC"))
    rows = judged(material(pictures_missing=frozenset({"p1"})), {"p1": found}, Tally(expected=1))
    assert rows["F1, dev"] == "MNER 1.000 over 1 posts"


def test_posts_that_end_as_they_are_meant_to_are_counted() -> None:
    tally = Tally(expected=4)
    tally.bury(letter(reason="not_json"))
    tally.bury(letter(reason="surprise"))
    meant = {"p1": "http_404", "p2": None}
    without = recognition(
        picture=PictureFacts(missing="http_404"), outcome=Outcome.of((DegradedReason.NO_PICTURE,))
    )
    rows = judged(
        material(gold={}, missing=meant, dead_letters=Counter({"not_json": 1, "too_large": 1})),
        {"p1": without, "p2": without},
        tally,
    )
    assert rows == {"endings": "2 of 4 posts ended as they are meant to"}


def test_our_own_posts_know_how_each_of_them_ends() -> None:
    own = own_posts(None)
    assert own.dead_letters is not None
    assert len(own.missing) + own.dead_letters.total() == len(own.lines)
    assert set(own.missing) <= set(own.posts)
    spans = [(own.posts[name].text, each) for name, found in own.gold["our own"].items() for each in found]
    assert all(text[each.span[0] : each.span[1]] == each.phrase for text, each in spans)


def test_a_limit_takes_the_first_posts() -> None:
    assert [line.key for line in own_posts(3).lines] == [line.key for line in own_posts(None).lines[:3]]
