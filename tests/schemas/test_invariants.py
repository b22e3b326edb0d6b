"""What is always true of a recognition."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import records

from schemas.entities import GroundedEntity, Span, Tool
from schemas.errors import PostError
from schemas.ids import entity_id
from schemas.invariants import BrokenInvariant, check_recognition
from schemas.recognitions import PictureFacts, Round, RoundAction, entity_records

POST = records.post()
SPOTIFY = records.entity("Spotify")


def boxed(x1: float, y1: float, x2: float, y2: float) -> GroundedEntity:
    return records.entity("Spotify", box_px=(x1, y1, x2, y2))


def at(start: int, end: int, exact: str, id_: str | None = None) -> GroundedEntity:
    return msgspec.structs.replace(
        SPOTIFY, id=id_ or entity_id("p1", start, end, "ORG"), span=Span(start, end, exact)
    )


def test_a_sound_recognition_passes() -> None:
    check_recognition(records.recognition(), POST)
    check_recognition(msgspec.structs.replace(records.recognition(), entities=()), POST)


def test_spans_count_code_points_not_bytes_or_utf16() -> None:
    after_the_ball = records.TEXT.index("#Spotify")
    check_recognition(records.recognition(at(after_the_ball + 1, after_the_ball + 8, "Spotify")), POST)


def test_touching_spans_do_not_overlap() -> None:
    check_recognition(records.recognition(at(4, 5, "@"), at(5, 12, "Spotify")), POST)


def test_a_box_may_fill_the_picture() -> None:
    check_recognition(records.recognition(boxed(0, 0, 640, 480)), POST)


BROKEN = {
    "text differs": (at(5, 12, "spotify"), "does not read"),
    "empty span": (at(5, 5, ""), "span 5–5"),
    "reversed span": (at(12, 5, "Spotify"), "span 12–5"),
    "beyond the text": (at(60, 900, "x"), "span 60–900"),
    "id of another type": (at(5, 12, "Spotify", entity_id("p1", 5, 12, "PER")), "id of 'Spotify'"),
    "box without width": (boxed(10, 10, 10, 20), "box"),
    "box reversed": (boxed(20, 10, 10, 20), "box"),
    "box left of the picture": (boxed(-1, 0, 10, 10), "box"),
    "box right of the picture": (boxed(0, 0, 640.01, 10), "box"),
    "box below the picture": (boxed(0, 0, 10, 481), "box"),
    "box not a number": (boxed(0, 0, float("nan"), 10), "finite"),
    "box infinite": (boxed(0, 0, float("inf"), 10), "finite"),
}


@pytest.mark.parametrize(("entity", "says"), BROKEN.values(), ids=BROKEN)
def test_a_broken_entity_is_refused(entity: GroundedEntity, says: str) -> None:
    with pytest.raises(BrokenInvariant, match=says) as caught:
        check_recognition(records.recognition(entity), POST)
    assert isinstance(caught.value, PostError)


@pytest.mark.parametrize("picture", [None, PictureFacts(missing="http_404")])
def test_a_box_needs_a_picture(picture: PictureFacts | None) -> None:
    with pytest.raises(BrokenInvariant, match="without a picture"):
        check_recognition(records.recognition(boxed(0, 0, 1, 1), picture=picture), POST)


def test_overlapping_spans_are_refused_in_any_order() -> None:
    long, short = at(5, 16, "Spotify and"), at(5, 12, "Spotify")
    for pair in ((long, short), (short, long)):
        with pytest.raises(BrokenInvariant, match="overlap"):
            check_recognition(records.recognition(*pair), POST)


def test_evidence_comes_from_a_search_that_returned_something() -> None:
    warriors = records.entity("Golden State Warriors", found=(records.evidence(Tool.IMAGE),))
    with pytest.raises(BrokenInvariant, match="image_search"):
        check_recognition(records.recognition(warriors), POST)
    missed = (Round(action=RoundAction.IMAGE_SEARCH, queries=("x",), results=0),)
    with pytest.raises(BrokenInvariant, match="image_search"):
        check_recognition(records.recognition(warriors, rounds=missed), POST)


def test_a_recognition_belongs_to_its_post() -> None:
    with pytest.raises(BrokenInvariant, match="for the post 'p2'"):
        check_recognition(records.recognition(), records.post(id="p2"))


BOXES = st.tuples(*[st.floats(-50, 700, width=32)] * 4)


@given(BOXES)
def test_a_box_passes_exactly_when_it_cuts_pixels_out_of_the_picture(
    box: tuple[float, float, float, float],
) -> None:
    x1, y1, x2, y2 = box
    inside = (max(x1, 0), max(y1, 0), min(x2, 640), min(y2, 480)) == box
    sound = inside and (x2 - x1) > 0 and (y2 - y1) > 0
    try:
        check_recognition(records.recognition(boxed(*box)), POST)
    except BrokenInvariant:
        assert not sound
    else:
        assert sound


def test_each_entity_becomes_a_record_of_its_own() -> None:
    recognition = records.recognition()
    spotify, warriors, center = entity_records(recognition)
    assert (spotify.name, warriors.name, center.name) == ("spotify", "golden state warriors", "chase center")
    assert spotify.entity == recognition.entities[0]
    assert (spotify.post_id, spotify.lang, spotify.model_digest) == ("p1", "en", records.MODEL.digest)
