"""The stream's figures, from records and times that are passed in."""

from __future__ import annotations

from support.records import recognition
from support.screen_records import letter

from schemas.recognitions import Outcome, Round, RoundAction, Timings
from workers.console.pulse import Pulse, Rate


def took(ms: float, **changes: object) -> object:
    return recognition(timings=Timings(picture_ms=0, engine_ms=0, search_ms=0, total_ms=ms), **changes)


def test_a_rate_is_the_mean_of_the_last_whole_seconds() -> None:
    rate = Rate(0.0)
    for tick in range(100):
        rate.add(tick / 10)
    assert rate.per_s(10.0) == 10
    assert rate.per_s(30.0) == 0
    assert rate.series(10.0)[-10:] == [10] * 10
    assert len(rate.series(10.0)) == 60


def test_figures_of_nothing_are_no_figures() -> None:
    told = Pulse(0.0).figures(1.0)
    assert told["p95_ms"] is told["searched"] is told["degraded"] is None
    assert told["dead"] == {"total": 0, "why": {}}


def test_latencies_shares_and_models_are_those_of_the_last_minutes() -> None:
    pulse = Pulse(0.0)
    pulse.recognition(took(9e9), 0.0)  # type: ignore[arg-type]
    plain = {"rounds": (Round(action=RoundAction.ANSWER),), "outcome": Outcome.of(())}
    for number in range(100):
        pulse.recognition(took(number, **({} if number < 25 else plain)), 400.0)  # type: ignore[arg-type]
    told = pulse.figures(401.0)
    assert (told["recent_posts"], told["p50_ms"], told["p95_ms"]) == (100, 50, 95)
    assert (told["searched"], told["queries"], told["degraded"]) == (0.25, 0.25, 0.25)
    assert told["degraded_why"] == {"deadline": 25}
    assert told["models"][0]["posts"] == 100


def test_dead_letters_are_counted_by_reason_and_reasons_are_bounded() -> None:
    pulse = Pulse(0.0)
    for number in range(40):
        pulse.letter(letter(reason=f"reason{number}"), 1.0)
    told = pulse.figures(2.0)["dead"]
    assert told["total"] == sum(told["why"].values()) == 40
    assert len(told["why"]) <= 13
