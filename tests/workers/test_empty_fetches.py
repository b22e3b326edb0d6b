"""Who asks a broker that does not wait rests by itself; who asks one that waits never does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from workers.empty_fetches import MAX_REST_S, MIN_REST_S, SHARE_OF_SILENCE, rest_s

seconds = st.floats(0, 1000)


@given(silence_s=seconds, asked_s=seconds, waited_s=seconds)
def test_a_rest_is_short_against_the_silence_and_never_longer_than_the_broker_was_asked_for(
    silence_s: float, asked_s: float, waited_s: float
) -> None:
    rest = rest_s(silence_s, asked_s, waited_s)
    assert 0 <= rest <= MAX_REST_S
    assert rest <= max(MIN_REST_S, SHARE_OF_SILENCE * silence_s)
    assert rest == 0 or waited_s + rest <= asked_s * (1 + 1e-9)


def test_a_broker_that_waited_is_asked_again_at_once() -> None:
    assert rest_s(silence_s=3600, asked_s=0.5, waited_s=0.5) == 0


def test_one_that_answered_at_once_is_asked_again_after_a_moment() -> None:
    assert rest_s(silence_s=3600, asked_s=0.5, waited_s=0) == MAX_REST_S
    assert rest_s(silence_s=0, asked_s=0.5, waited_s=0) == MIN_REST_S
