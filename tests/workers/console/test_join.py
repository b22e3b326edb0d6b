"""A post and its recognition meet, whichever comes first; what never meets goes, and is bounded."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from support.records import post, recognition

from workers.console.join import Join, JoinLimits


def test_the_post_comes_first_as_it_usually_does() -> None:
    join = Join()
    assert join.post(post(id="p1")) is None
    joined = join.recognition(recognition(post_id="p1"), 800, 0.0)
    assert joined is not None
    assert joined.post == post(id="p1")
    assert join.waiting == 0


def test_a_recognition_that_is_early_waits_for_its_post() -> None:
    join = Join()
    assert join.recognition(recognition(post_id="p1"), 800, 0.0) is None
    assert join.overdue(1.9) == []
    joined = join.post(post(id="p1"))
    assert joined is not None
    assert joined.recognition.post_id == "p1"
    assert join.overdue(9.0) == []


def test_a_recognition_whose_post_does_not_come_is_shown_without_text() -> None:
    join = Join()
    join.recognition(recognition(post_id="p1"), 800, 0.0)
    join.recognition(recognition(post_id="p2"), 800, 1.0)
    (late,) = join.overdue(2.0)
    assert (late.post, late.recognition.post_id) == (None, "p1")
    assert join.without_post == 1


def test_nothing_waits_for_a_post_that_died() -> None:
    join = Join()
    join.post(post(id="p1"))
    assert join.died("p1") is not None
    assert join.waiting == 0


def test_posts_that_nobody_recognises_make_room_for_those_that_somebody_does() -> None:
    join = Join(JoinLimits(posts=100))
    for number in range(100):
        join.post(post(id=f"old{number}"))
    assert join.posts_full
    assert join.recognition(recognition(post_id="new"), 800, 0.0) is None
    assert not join.posts_full
    assert join.post(post(id="new")) is not None


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 40))))
def test_every_pair_meets_once_and_nothing_outgrows_its_limits(steps: list[tuple[bool, int]]) -> None:
    join = Join(JoinLimits(posts=10, recognitions=10))
    met = 0
    for is_post, number in steps:
        if is_post:
            met += join.post(post(id=f"p{number}")) is not None
        else:
            joined = join.recognition(recognition(post_id=f"p{number}"), 500, 0.0)
            met += joined is not None
        assert join.waiting <= 10
    assert met <= min(sum(is_post for is_post, _ in steps), sum(not is_post for is_post, _ in steps))
