"""An answer held against its post: what becomes an entity, and what is dropped by name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.turns import mentions

from sake_model.grounding import BoxFrame, Size
from sake_model.pictures import ModelPicture
from sake_model.prompts import load_prompts
from sake_model.protocol import Mention, RawBox, Repair
from sake_model.resolution import Located, resolve
from schemas.entities import BoxPx, Span

GMNER = load_prompts("gmner").task
FMNERG = load_prompts("fmnerg").task
# The model sees half of every side.
PICTURE = ModelPicture(b"", "image/png", "00", original=Size(1120, 560), resized=Size(560, 280))
TEXT = "Angela Merkel met BMW in Berlin. Berlin!"


def resolved(
    *found: Mention, picture: ModelPicture | None = PICTURE, frame: BoxFrame = BoxFrame.RESIZED
) -> tuple[tuple[Located, ...], tuple[Repair, ...]]:
    return resolve(found, TEXT, picture, GMNER, frame)


def test_names_become_spans_in_the_order_of_the_text() -> None:
    located, repairs = resolved(Mention("Berlin", "LOC"), Mention("Angela Merkel", "PER"))
    assert located == (
        Located(Span(0, 13, "Angela Merkel"), "PER", None, None),
        Located(Span(25, 31, "Berlin"), "LOC", None, None),
    )
    assert repairs == ()


def test_a_name_given_twice_takes_the_next_place_until_there_is_none() -> None:
    located, repairs = resolved(*[Mention("Berlin", "LOC")] * 3)
    assert [entity.span.start for entity in located] == [25, 33]
    assert repairs == (Repair.DUPLICATE_ENTITY,)


def test_of_two_that_overlap_the_longer_name_stays() -> None:
    located, repairs = resolved(Mention("Merkel", "PER"), Mention("Angela Merkel", "PER"))
    assert [entity.span.exact for entity in located] == ["Angela Merkel"]
    assert repairs == (Repair.OVERLAPPING_ENTITY,)


@pytest.mark.parametrize(
    ("name", "repair"),
    [
        ("angela merkel", Repair.NAME_CASE),
        ("Angela  Merkel", Repair.NAME_WHITE_SPACE),
        ("Ångela Merkel", Repair.NAME_ACCENTS),
        ("#Berlin", Repair.NAME_SIGIL),
        ("Paris", Repair.NOT_IN_POST),
        (" ", Repair.NOT_IN_POST),
    ],
)
def test_a_careless_name_is_placed_by_name_of_its_fault_or_dropped(name: str, repair: Repair) -> None:
    located, repairs = resolved(Mention(name, "PER"))
    assert repairs == (repair,)
    assert len(located) == (repair is not Repair.NOT_IN_POST)


def test_another_name_of_a_type_is_understood() -> None:
    located, repairs = resolved(Mention("Berlin", "location"))
    assert located[0].type == "LOC"
    assert repairs == (Repair.TYPE_ALIAS,)


def test_an_unknown_type_drops_the_entity_and_leaves_its_place_free() -> None:
    located, repairs = resolved(Mention("Angela Merkel met", "EVENT"), Mention("Angela Merkel", "PER"))
    assert [entity.span.exact for entity in located] == ["Angela Merkel"]
    assert repairs == (Repair.UNKNOWN_TYPE,)


def test_fine_types_come_with_their_coarse_one() -> None:
    found = (Mention("Angela Merkel", "politician"), Mention("BMW", "company"))
    located, _ = resolve(found, TEXT, None, FMNERG, BoxFrame.RESIZED)
    assert [(entity.type, entity.fine_type) for entity in located] == [
        ("person", "politician"),
        ("organization", "company"),
    ]


@pytest.mark.parametrize(
    ("box", "box_px", "repairs"),
    [
        ((10, 20, 100, 200), (20, 40, 200, 400), ()),
        ((0, 0, 560, 280), (0, 0, 1120, 560), ()),
        ((100, 200, 10, 20), (20, 40, 200, 400), (Repair.BOX_CORNERS_SWAPPED,)),
        ((10, 20, 900, 200), (20, 40, 1120, 400), (Repair.BOX_CLIPPED,)),
        ((-50, 20, 100, 200), (0, 40, 200, 400), (Repair.BOX_CLIPPED,)),
        ((600, 300, 700, 400), None, (Repair.BOX_OUTSIDE,)),
        ((10, 20, 10, 200), None, (Repair.BOX_EMPTY,)),
        ((1e300, 0, -1e300, 100), (0, 0, 1120, 200), (Repair.BOX_CORNERS_SWAPPED, Repair.BOX_CLIPPED)),
    ],
)
def test_boxes_are_given_in_the_original_picture(
    box: RawBox, box_px: BoxPx | None, repairs: tuple[Repair, ...]
) -> None:
    located, made = resolved(Mention("Berlin", "LOC", box))
    assert located[0].box_px == box_px
    assert made == repairs


def test_boxes_of_a_checkpoint_that_writes_thousandths() -> None:
    located, _ = resolved(Mention("Berlin", "LOC", (500, 500, 1000, 1000)), frame=BoxFrame.NORMALISED)
    assert located[0].box_px == (560, 280, 1120, 560)


def test_a_box_without_a_picture_is_dropped() -> None:
    located, repairs = resolved(Mention("Berlin", "LOC", (1, 2, 3, 4)), picture=None)
    assert located[0].box_px is None
    assert repairs == (Repair.BOX_WITHOUT_PICTURE,)


_found = st.lists(
    st.one_of(
        mentions(),
        st.builds(
            Mention,
            st.sampled_from(["Berlin", "Angela", "Merkel met", "BMW", "bmw", "erlin", "🎉", "e\u0301"]),
            st.sampled_from(["PER", "LOC", "nonsense"]),
            st.none() | st.tuples(*[st.floats(allow_nan=False, allow_infinity=False)] * 4),
        ),
    ),
    max_size=12,
)


@given(
    _found, st.sampled_from([TEXT, "Berlin BERLIN 🎉🎉 e\u0301 #BerlinWall", ""]), st.sampled_from(BoxFrame)
)
def test_what_comes_out_is_always_right(found: list[Mention], text: str, frame: BoxFrame) -> None:
    located, repairs = resolve(tuple(found), text, PICTURE, GMNER, frame)
    end = 0
    for entity in located:
        span = entity.span
        assert text[span.start : span.end] == span.exact != ""
        assert end <= span.start
        end = span.end
        assert entity.type in GMNER.types
        if entity.box_px is not None:
            x1, y1, x2, y2 = entity.box_px
            assert 0 <= x1 < x2 <= PICTURE.original.width
            assert 0 <= y1 < y2 <= PICTURE.original.height
    dropped = {
        Repair.UNKNOWN_TYPE, Repair.NOT_IN_POST, Repair.DUPLICATE_ENTITY, Repair.OVERLAPPING_ENTITY
    }  # fmt: skip
    assert len(located) + sum(repair in dropped for repair in repairs) == len(found)
