"""The stream that goes on: new posts of now, some of them more often for a while."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from datetime import UTC, datetime, timedelta

from schemas.codec import decode_post
from workers.demo.live import FAVOURITES, WATCH_LIST, WAVE_POSTS, of_now, waves
from workers.demo.material import own_posts
from workers.mentions.watch_list import read_watch_list

MATERIAL = own_posts(None)
POSTS = tuple(MATERIAL.posts.values())


def test_every_post_that_comes_again_has_an_id_of_its_own() -> None:
    ids = [post.id for post in itertools.islice(waves(POSTS, random.Random(1)), 500)]
    assert len(set(ids)) == 500


def test_in_each_wave_some_posts_come_more_often() -> None:
    wave = itertools.islice(waves(POSTS, random.Random(1)), WAVE_POSTS)
    counts = Counter(post.id.split("~")[0] for post in wave)
    assert sum(count for _, count in counts.most_common(FAVOURITES)) >= WAVE_POSTS * 0.3


def test_posts_become_posts_of_now_and_what_is_none_stays_as_it_is() -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    lines = list(of_now(MATERIAL.lines))
    assert len(lines) == len(MATERIAL.lines)
    alive = [decode_post(line.value) for line in lines if line.key and line.key.decode() in MATERIAL.posts]
    assert all(post.created_at is not None and post.created_at >= before for post in alive)
    assert [line for line in lines if line in MATERIAL.lines]


def test_the_watch_list_of_the_demo_can_be_read() -> None:
    assert len(read_watch_list(WATCH_LIST.read_text(), "watch.yaml").brands) == 10
