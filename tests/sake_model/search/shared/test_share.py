"""What one worker may do alone: the shares of all never make more than the rate."""

import math

from hypothesis import given
from hypothesis import strategies as st

from sake_model.search.limits import Rate
from sake_model.search.shared.share import OwnCalls, SentCall

RATES = st.builds(Rate, st.integers(1, 40), st.floats(0.1, 10.0))
STEPS = st.lists(st.tuples(st.integers(0, 4), st.floats(0, 3), st.integers(1, 3)), max_size=60)


@given(rate=RATES, workers=st.integers(1, 5), steps=STEPS, under_way_s=st.floats(0, 2))
def test_all_workers_together_stay_within_the_rate_in_every_window(rate, workers, steps, under_way_s):
    each = [OwnCalls((rate,), workers) for _ in range(workers)]
    now_s, counted = 100.0, []
    for who, pause_s, calls in steps:
        now_s += pause_s
        own = each[who % workers]
        if own.free_in_s(calls, now_s) == 0.0:
            own.add(SentCall(calls, now_s + under_way_s))
            counted += [now_s + under_way_s] * calls
    for begin_s in counted:
        assert sum(begin_s <= at_s < begin_s + rate.period_s for at_s in counted) <= rate.calls


@given(rate=RATES, calls=st.integers(1, 3), under_way_s=st.floats(0, 2))
def test_what_is_told_to_wait_fits_after_that_wait(rate, calls, under_way_s):
    own = OwnCalls((rate,), 1)
    now_s = 100.0
    while (wait_s := own.free_in_s(calls, now_s)) == 0.0:
        own.add(SentCall(calls, now_s + under_way_s))
    if math.isfinite(wait_s):
        assert own.free_in_s(calls, now_s + wait_s + 1e-9) == 0.0


def test_a_share_of_nothing_never_comes():
    assert OwnCalls((Rate(3, 1.0),), 4).free_in_s(1, 0.0) == math.inf


def test_the_smallest_share_of_several_rates_counts():
    own = OwnCalls((Rate(8, 1.0), Rate(20, 60.0)), 4)
    own.add(SentCall(2, 100.0))
    assert own.free_in_s(1, 100.5) == 0.5
    own.add(SentCall(2, 101.0))
    own.add(SentCall(1, 102.0))
    assert own.free_in_s(1, 103.5) == 56.5


def test_what_was_not_sent_does_not_count():
    own = OwnCalls((Rate(1, 60.0),), 1)
    call = SentCall(1, 100.0)
    own.add(call)
    own.remove(call)
    assert own.free_in_s(1, 100.0) == 0.0
