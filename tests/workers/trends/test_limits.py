"""Limits that do not fit together are refused with a word on what is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.errors import OperatorError
from workers.settings import Settings
from workers.trends.limits import TrendLimits


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"hops_s": (10, 60)}, "one hop"),
        ({"lengths_s": (), "hops_s": ()}, "one hop"),
        ({"lengths_s": (60,), "hops_s": (7,)}, "multiple"),
        ({"lengths_s": (60,), "hops_s": (0,)}, "multiple"),
        ({"lengths_s": (60, 60), "hops_s": (10, 10)}, "grow"),
        ({"grace_s": -1}, "negative"),
        ({"max_names": 0}, "max_names"),
        ({"half_life_windows": 0}, "positive"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused(change: dict[str, Any], word: str) -> None:
    with pytest.raises(OperatorError, match=word):
        TrendLimits(**change)


def test_windows_can_be_set_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAKE_TRENDS_LENGTHS_S", "30, 600")
    monkeypatch.setenv("SAKE_TRENDS_HOPS_S", "30, 60")
    assert Settings().trends.lengths_s == (30, 600)
    assert Settings().trends.hops_s == (30, 60)
