"""The invented world: names apart by split, posts that are what their situation says."""

from __future__ import annotations

from collections import Counter

import pytest

from training.synthetic.identity import split_of
from training.synthetic.world import (
    HINTING,
    KNOWN,
    NAMES,
    OPEN,
    SHARES,
    TELLING,
    Situation,
    World,
    world_rows,
)

POSTS = 400


@pytest.fixture(scope="module")
def posts():
    world = World("train", 1)
    return [world.post(number) for number in range(POSTS)]


def test_every_post_is_the_same_whenever_it_is_made(posts):
    assert World("train", 1).post(17) == posts[17]
    assert World("train", 2).post(17) != posts[17]


def test_every_span_is_the_name_it_stands_for(posts):
    for made in posts:
        names = [made.post.exact(entity) for entity in made.post.entities]
        invented = [name for name in names if name not in dict(KNOWN)]
        assert len(invented) == 1
        assert len(made.needs_search) == len(names)


def test_names_are_held_out_by_identity():
    for split in ("train", "held_out"):
        world = World(split, 1)
        for number in range(100):
            made = world.post(number).post
            invented = [made.exact(e) for e in made.entities if made.exact(e) not in dict(KNOWN)]
            assert all(split_of(name) == split for name in invented)


def test_every_name_is_one_things_or_two_by_its_situation():
    titles = Counter(row.title for row in world_rows(World("train", 1)))
    world = World("train", 1)
    shared = sum(world.situation(name) is Situation.SHARED for name in range(NAMES))
    assert Counter(titles.values())[2] == shared
    assert max(titles.values()) == 2


def test_situations_come_in_their_shares(posts):
    for situation, share in zip(Situation, SHARES, strict=True):
        seen = sum(made.situation is situation for made in posts) / POSTS
        assert seen == pytest.approx(share, abs=0.07)


def test_what_the_index_knows_follows_the_situation():
    world = World("train", 1)
    for name in range(300):
        things, meant = world.listed(name), world._meant(name)
        match world.situation(name):
            case Situation.UNLISTED:
                assert things == ()
            case Situation.MISLEADING:
                assert [thing.type == meant.type for thing in things] == [False]
            case Situation.SHARED:
                assert things[0] == meant
                assert things[1].type != meant.type
            case _:
                assert things == (meant,)


def test_whether_to_search_can_be_told_from_the_sentence():
    telling = {each for sentences in TELLING.values() for each in sentences}
    hinting = {each for sentences in HINTING.values() for each in sentences}
    assert not telling & hinting
    assert not (telling | hinting) & set(OPEN)
    assert len(telling) == len(hinting) == 20, "and no sentence speaks for two types"


def test_the_index_rows_name_the_listed_things():
    rows = list(world_rows(World("train", 1)))
    assert {row.title for row in rows} >= {thing.name for thing in World("train", 1).listed(0)}
    assert all(row.snippet.startswith(row.title) for row in rows)
    assert len(rows) > NAMES / 2
