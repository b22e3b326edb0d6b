"""Copies are one mention with a count; and the count is exact however often records come again."""

from __future__ import annotations

from datetime import timedelta
from functools import cache

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.records import NOON, mention

from schemas.mentions import Mention, Revision
from schemas.recognitions import PictureFacts
from workers.mentions.config import FoldLimits
from workers.mentions.folding import Folding, Story, is_worth_a_word
from workers.mentions.records import Matched
from workers.mentions.sketch import sketch_of

TEXT = "Spotify puts up its prices for the third time in two years, says the letter in my inbox"
OTHER = "the new Spotify studio in Stockholm has a sauna on the roof and a bar in the cellar"
LIMITS = FoldLimits(within_s=600)
cached_sketch = cache(sketch_of)


def matched(
    post_id: str, text: str = TEXT, *, after_s: float = 0, brand: str = "Spotify", sha: str = ""
) -> Matched:
    """One post's mention; equal ids for equal posts."""
    one = msgspec.structs.replace(
        mention(),
        brand=brand,
        post_id=post_id,
        id=f"{brand}-{post_id}",
        recognised_at=NOON + timedelta(seconds=after_s),
        picture=PictureFacts(sha256=sha, width=9, height=9) if sha else None,
    )
    return Matched(mention=one, sketch=cached_sketch(text))


def told(folding: Folding, *stream: Matched) -> list[tuple[str, Revision, int]]:
    found: list[Mention] = []
    for offset, each in enumerate(stream):
        found += folding.fold(each, 0, offset, 0).publish
    return [(each.post_id, each.revision, each.posts) for each in found]


FIRST, GREW, LAST = Revision.FIRST, Revision.GREW, Revision.LAST


def test_the_first_post_is_told_at_once_and_copies_with_a_count() -> None:
    stream = [matched(f"p{n}", f"RT @u{n}: {TEXT} https://t.co/{n}") for n in range(6)]
    assert told(Folding(LIMITS), *stream) == [("p0", FIRST, 1), ("p0", GREW, 2), ("p0", GREW, 5)]


def test_another_text_another_brand_and_a_later_time_are_other_mentions() -> None:
    stream = [matched("a"), matched("b", OTHER), matched("c", brand="Tidal"), matched("d", after_s=601)]
    assert told(Folding(LIMITS), *stream) == [(name, FIRST, 1) for name in "abcd"]


def test_the_same_picture_is_the_same_whatever_is_written_beside_it() -> None:
    stream = [matched("a", TEXT, sha="aa" * 32), matched("b", OTHER, sha="aa" * 32)]
    assert told(Folding(LIMITS), *stream) == [("a", FIRST, 1), ("a", GREW, 2)]


def test_a_picture_that_looks_the_same_is_the_same() -> None:
    look, other = bytes(range(192)), bytes(reversed(range(192)))
    near = bytes(each + 3 for each in look)
    stream = [
        msgspec.structs.replace(matched(name, text), look=seen)
        for name, text, seen in (
            ("a", TEXT, look),
            ("b", OTHER, near),
            ("c", "short", other),
            ("d", "brief", b""),
        )
    ]
    assert told(Folding(LIMITS), *stream) == [
        ("a", FIRST, 1),
        ("a", GREW, 2),
        ("c", FIRST, 1),
        ("d", FIRST, 1),
    ]


def test_short_texts_are_no_sign_of_a_copy() -> None:
    assert told(Folding(LIMITS), matched("a", "love my Nike"), matched("b", "love my Nike")) == [
        ("a", FIRST, 1),
        ("b", FIRST, 1),
    ]


def test_a_post_that_names_the_brand_twice_is_one_post() -> None:
    twice = matched("a"), msgspec.structs.replace(matched("a"), mention=matched("a2").mention)
    again = msgspec.structs.replace(matched("a").mention, id="second span")
    assert told(Folding(LIMITS), twice[0], Matched(mention=again), matched("b"), matched("b")) == [
        ("a", FIRST, 1),
        ("a", GREW, 2),
    ]


def test_the_last_word_is_said_once_its_time_is_over() -> None:
    folding = Folding(LIMITS)
    told(folding, *(matched(f"p{n}", after_s=n) for n in range(4)))
    assert list(folding.due(NOON + timedelta(seconds=600))) == []
    (story,) = folding.due(NOON + timedelta(seconds=601))
    last = story.revision(LAST)
    assert (last.post_id, last.revision, last.posts) == ("p0", LAST, 4)
    assert last.last_seen_at == NOON + timedelta(seconds=3)
    assert list(folding.due(NOON + timedelta(seconds=700))) == []


def test_only_the_first_revision_carries_the_crop() -> None:
    folding = Folding(LIMITS)
    first = folding.fold(matched("a"), 0, 0, 0).publish[0]
    grew = folding.fold(matched("b"), 0, 1, 0).publish[0]
    assert first.crop_missing == ""
    assert (grew.crop, grew.crop_missing) == (None, "in_first_revision")


def test_stories_are_bounded_and_the_oldest_says_its_last_word() -> None:
    folding = Folding(FoldLimits(within_s=600, max_stories=2))
    texts = [f"Spotify {word * 9} {word[::-1] * 7} and nothing else to say" for word in ("abc", "def", "ghi")]
    stream = [matched("a", texts[0]), *(matched(f"a{n}", texts[0]) for n in range(2)), matched("b", texts[1])]
    for offset, each in enumerate(stream):
        folding.fold(each, 0, offset, committed_offset=offset)
    folded = folding.fold(matched("c", texts[2]), 0, 4, committed_offset=4)
    assert [(each.post_id, each.revision, each.posts) for each in folded.publish] == [
        ("a", LAST, 3),
        ("c", FIRST, 1),
    ]
    assert folded.forget == ("Spotify-a",)
    assert len(folding) == 2


def test_a_story_is_kept_as_long_as_its_records_may_come_again() -> None:
    folding = Folding(FoldLimits(within_s=600, max_stories=1))
    folding.fold(matched("a"), 0, 0, committed_offset=0)
    assert folding.fold(matched("b", OTHER), 0, 1, committed_offset=0).forget == ()
    assert folding.fold(matched("c", OTHER), 0, 2, committed_offset=1).forget == ("Spotify-a",)


@pytest.mark.parametrize(
    ("posts", "worth"), [(1, True), (2, True), (3, False), (50, True), (60, False), (100, True)]
)
def test_which_counts_are_worth_a_word(posts: int, worth: bool) -> None:
    assert is_worth_a_word(posts) is worth


def test_a_record_that_comes_again_counts_nothing_and_says_again_what_it_said() -> None:
    folding = Folding(LIMITS)
    stream = [matched("a"), matched("b"), matched("c")]
    said = [folding.fold(each, 0, offset, 0).publish for offset, each in enumerate(stream)]
    again = [folding.fold(each, 0, offset, 0) for offset, each in enumerate(stream)]
    assert again[0].publish == said[0]
    assert [mention.id for each in again for mention in each.publish] == ["Spotify-a"] * 3
    assert (again[2].story.posts, again[2].story.last_offset) == (3, 2)


TEXTS = st.sampled_from(
    [TEXT, OTHER, f"RT @x: {TEXT}", "brief", "Spotify is down in half of Europe, says the map"]
)


@settings(max_examples=60)
@given(
    posts=st.lists(st.tuples(st.integers(0, 12), TEXTS, st.integers(0, 900)), min_size=1, max_size=25),
    crashes=st.lists(st.tuples(st.integers(0, 25), st.integers(0, 6), st.integers(0, 6)), max_size=4),
    max_stories=st.sampled_from([1, 3, 50]),
)
def test_counts_are_exact_over_crashes(
    posts: list[tuple[int, str, int]], crashes: list[tuple[int, int, int]], max_stories: int
) -> None:
    """A crash after some records loses what the table's log has not kept yet, which is at least up to the
    committed offset; what was not committed comes again."""
    stream = [matched(f"p{post}-{text[:9]}", text, after_s=after) for post, text, after in posts]
    limits = FoldLimits(within_s=300, max_stories=max_stories)
    plain, _ = run(stream, limits, {})
    moments = {1 + at % len(stream): (behind, ahead) for at, behind, ahead in crashes}
    crashed, published = run(stream, limits, moments)
    if max_stories == 50:  # what is forgotten early depends on what was committed when
        assert counts(crashed).items() <= counts(plain).items()  # which forgets nothing: it never commits
    firsts = {each.id for each in published if each.revision is FIRST}
    assert firsts >= {story.id for story in crashed.values()}


def counts(stories: dict[str, Story]) -> dict[str, tuple[int, int]]:
    return {story.id: (story.posts, story.last_offset) for story in stories.values()}


def run(
    stream: list[Matched], limits: FoldLimits, crashes: dict[int, tuple[int, int]]
) -> tuple[dict[str, Story], list[Mention]]:
    log: list[dict[str, Story]] = [{}]  # the table after each record
    folding, committed, offset = Folding(limits), 0, 0
    published: list[Mention] = []
    while offset < len(stream):
        folded = folding.fold(stream[offset], 0, offset, committed)
        published += folded.publish
        table = {**log[-1], folded.story.id: msgspec.structs.replace(folded.story)}
        log.append({key: value for key, value in table.items() if key not in folded.forget})
        offset += 1
        if offset in crashes:
            behind, ahead = crashes.pop(offset)
            committed = max(committed, offset - behind)
            kept = min(len(log) - 1, committed + ahead)  # the log may be ahead of the committed offset
            log = log[: kept + 1]
            folding = Folding(limits, [msgspec.structs.replace(story) for story in log[-1].values()])
            log = [log[-1]] * (committed + 1)
            offset = committed
    return log[-1], published
