"""A lookup's requests run at once, and whatever comes of them is an observation."""

from __future__ import annotations

import io
import time

from PIL import Image
from support.fake_search import FakeSearch, found

from sake_model.deadline import Deadline
from sake_model.grounding import ResizeLimits
from sake_model.lookups import look_up
from sake_model.search.interface import SearchRequest
from schemas.entities import Tool

SOON = 60.0


def png(width: int, height: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(out, "PNG")
    return out.getvalue()


def asked(tool: Tool, *queries: str) -> tuple[SearchRequest, ...]:
    return tuple(SearchRequest(tool, query) for query in queries)


async def test_requests_run_at_once_and_are_answered_in_their_order() -> None:
    search = FakeSearch({(Tool.TEXT, "b"): (found("b", "B"),)}, delay_s=0.05)
    started = time.monotonic()
    seen = await look_up(asked(Tool.TEXT, "a", "b", "c"), search, Deadline.after(SOON))
    assert time.monotonic() - started < 0.14
    assert search.most_at_once == 3
    assert [(one.request.query, len(one.results), one.available) for one in seen] == [
        ("a", 0, True),
        ("b", 1, True),
        ("c", 0, True),
    ]


async def test_a_search_that_fails_is_an_observation_too() -> None:
    search = FakeSearch(down=frozenset({Tool.TEXT}))
    (one,) = await look_up(asked(Tool.TEXT, "a"), search, Deadline.after(SOON))
    assert not one.available
    assert one.results == ()


async def test_reference_pictures_are_made_small_and_unusable_ones_left_out() -> None:
    results = (
        found("a", "no picture"),
        found("a", "broken", picture=b"GIF89a broken"),
        found("a", "good", picture=png(2000, 1000)),
        found("a", "not needed any more", picture=png(10, 10)),
    )
    search = FakeSearch({(Tool.IMAGE, "a"): results})
    size = ResizeLimits(min_pixels=28 * 28, max_pixels=224 * 224)
    (one,) = await look_up(asked(Tool.IMAGE, "a"), search, Deadline.after(SOON), reference_size=size)
    none, broken, good, spare = one.pictures
    assert none is broken is spare is None
    assert good is not None
    assert good.resized.width * good.resized.height <= 224 * 224
    assert one.results == results
