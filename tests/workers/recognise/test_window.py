"""The window of a partition: what may be taken for a commit, and what is counted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from workers.recognise.window import Load, Window, WindowLimits

MANY = 10**9


def test_only_the_finished_run_at_the_head_is_taken() -> None:
    window: Window[str] = Window(Load())
    for offset in (5, 6, 9):
        window.admit(offset, 10)
    window.finish(6, "six", 1)
    assert window.take(MANY, MANY) is None
    window.finish(5, "five", 1)
    taken = window.take(MANY, MANY)
    assert taken is not None
    assert taken.results == ("five", "six")
    assert taken.next_offset == 7
    assert window.lowest_unfinished == 9


def test_a_run_is_cut_at_the_limits_but_never_to_nothing() -> None:
    window: Window[int] = Window(Load())
    for offset in range(4):
        window.admit(offset, 1)
        window.finish(offset, offset, 100)
    first = window.take(2, MANY)
    assert first is not None
    assert first.results == (0, 1)
    second = window.take(MANY, 1)
    assert second is not None
    assert second.results == (2,)


def test_what_is_taken_counts_until_it_is_released() -> None:
    load = Load()
    window: Window[int] = Window(load)
    window.admit(0, 10)
    window.finish(0, 0, 30)
    window.take(MANY, MANY)
    assert (load.running, load.finished, load.held_bytes) == (0, 1, 30)
    window.release(1)
    assert (load.running, load.finished, load.held_bytes) == (0, 0, 0)


def test_an_offset_behind_the_window_is_refused() -> None:
    window: Window[int] = Window(Load(), next_offset=7)
    with pytest.raises(ValueError, match="behind the window"):
        window.admit(6, 1)


def test_a_post_finishes_once() -> None:
    window: Window[int] = Window(Load())
    window.admit(0, 1)
    window.finish(0, 0, 1)
    with pytest.raises(ValueError, match="not in work"):
        window.finish(0, 0, 1)


def test_one_post_alone_is_let_in_however_large() -> None:
    limits = WindowLimits(max_in_flight=1, max_in_flight_bytes=10, max_finished=1)
    load = Load()
    assert load.admits(1000, limits)
    Window[int](load).admit(0, 1000)
    assert not load.admits(1, limits)


@given(st.integers(1, 8), st.integers(1, 8), st.integers(0, 20), st.integers(0, 20))
def test_there_is_room_only_below_every_limit(
    max_in_flight: int, max_finished: int, running: int, finished: int
) -> None:
    limits = WindowLimits(max_in_flight=max_in_flight, max_finished=max_finished)
    room = Load(running=running, finished=finished).room(limits)
    assert room == (max(0, max_in_flight - running) if finished < max_finished else 0)


class WindowAgainstAList(RuleBasedStateMachine):
    """Any course of events, against a plain list of [offset, finished]."""

    def __init__(self) -> None:
        super().__init__()
        self.load = Load()
        self.window: Window[int] = Window(self.load)
        self.model: list[list[int]] = []
        self.sizes: dict[int, int] = {}
        self.next = 0
        self.committed: list[int] = []
        self.admitted: list[int] = []
        self.taken: list[int] = []

    @rule(gap=st.integers(0, 3), size=st.integers(0, 50))
    def admit(self, gap: int, size: int) -> None:
        offset = self.next + gap
        self.window.admit(offset, size)
        self.model.append([offset, False])
        self.admitted.append(offset)
        self.sizes[offset] = size
        self.next = offset + 1

    @precondition(lambda self: any(not done for _, done in self.model))
    @rule(data=st.data(), size=st.integers(0, 50))
    def finish(self, data: st.DataObject, size: int) -> None:
        entry = data.draw(st.sampled_from([entry for entry in self.model if not entry[1]]))
        entry[1] = True
        self.sizes[entry[0]] = size
        self.window.finish(entry[0], entry[0], size)

    @rule(max_posts=st.integers(1, 5), max_bytes=st.integers(1, 100))
    def take(self, max_posts: int, max_bytes: int) -> None:
        run = self.window.take(max_posts, max_bytes)
        if run is None:
            assert not self.model or not self.model[0][1]
            return
        assert 1 <= len(run.results) <= max_posts
        sizes = [self.sizes[offset] for offset in run.offsets]
        assert len(sizes) == 1 or sum(sizes) <= max_bytes
        for offset in run.results:
            head = self.model.pop(0)
            assert head == [offset, True]
        assert run.next_offset == run.results[-1] + 1
        self.taken.extend(run.results)

    @precondition(lambda self: self.taken)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        count = data.draw(st.integers(1, len(self.taken)))
        released, self.taken = self.taken[:count], self.taken[count:]
        self.window.release(released[-1] + 1)
        self.committed.extend(released)

    @rule()
    def clear(self) -> None:
        self.window.clear()
        lost = {offset for offset, _ in self.model} | set(self.taken)
        self.admitted = [offset for offset in self.admitted if offset not in lost]
        self.model.clear()
        self.taken.clear()

    @invariant()
    def a_commit_never_passes_an_unfinished_post(self) -> None:
        unfinished = [offset for offset, done in self.model if not done]
        assert self.window.lowest_unfinished == (unfinished[0] if unfinished else self.next)

    @invariant()
    def everything_admitted_is_committed_in_order_or_still_held(self) -> None:
        assert self.committed + self.taken + [offset for offset, _ in self.model] == self.admitted

    @invariant()
    def the_counts_are_right(self) -> None:
        held = [offset for offset, _ in self.model] + self.taken
        finished = sum(done for _, done in self.model)
        assert self.window.held == len(held)
        assert self.window.running == self.load.running == len(self.model) - finished
        assert self.load.finished == finished + len(self.taken)
        assert self.load.held_bytes == sum(self.sizes[offset] for offset in held)
        assert self.window.ready == bool(self.model and self.model[0][1])


TestWindowAgainstAList = WindowAgainstAList.TestCase
