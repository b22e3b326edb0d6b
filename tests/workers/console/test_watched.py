"""The watch list's mentions: one row for all revisions, its crop from the first."""

from __future__ import annotations

import msgspec
from support.console_stream import mention_of, own_stream
from support.records import TEXT, mention

from workers.console.shown import PictureNames
from workers.console.watched import SHOWN, Watched, excerpt

STARBUCKS = mention_of(next(one for one in own_stream() if "starbucks" in one.post.id), "Starbucks")


def test_a_mention_that_grows_stays_one_row_and_keeps_its_crop() -> None:
    pictures = PictureNames()
    watched = Watched(pictures)
    watched.add(STARBUCKS)
    watched.add(msgspec.structs.replace(STARBUCKS, posts=9, crop=None, crop_missing="in_first_revision"))
    (row,) = watched.list()["mentions"]
    assert row["posts"] == 9
    name = row["crop"]["src"].removeprefix("picture/")
    source = pictures.source(name)
    assert source is not None
    assert STARBUCKS.crop is not None
    assert source.data == STARBUCKS.crop.data


def test_the_newest_stands_first_and_the_list_is_bounded() -> None:
    watched = Watched(PictureNames())
    for number in range(SHOWN + 20):
        watched.add(msgspec.structs.replace(STARBUCKS, id=f"m{number}", brand=f"b{number}"))
    rows = watched.list()["mentions"]
    assert len(rows) == SHOWN
    assert rows[0]["brand"] == f"b{SHOWN + 19}"


def test_the_text_around_the_span_in_parts() -> None:
    assert excerpt(msgspec.structs.replace(mention(), text=TEXT)) == [
        TEXT[:5],
        ["Spotify", 0],
        TEXT[12:],
    ]
    cut = msgspec.structs.replace(mention(), text=TEXT[4:], text_start=4)
    assert excerpt(cut)[:2] == ["…@", ["Spotify", 0]]


def test_a_mention_whose_post_is_gone_shows_the_name_alone() -> None:
    assert excerpt(mention()) == [["Spotify", 0]]
    torn = msgspec.structs.replace(mention(), text="x", text_start=400)
    assert excerpt(torn) == [["Spotify", 0]]
