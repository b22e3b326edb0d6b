"""Both scorers once more, from their definitions and for tiny posts only: every matching is tried, and
boxes are sets of unit squares. Nothing here comes from `sake_model.scoring` but the records.

A result is {"gmner": (right, predicted, gold), "mner": …, "eeg": …} of one post.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

from sake_model.scoring.records import Box, GoldEntity, Prediction, ScoredPost

__all__ = ["Counted", "slow_official", "slow_sake"]

Counted = dict[str, tuple[int, int, int]]
Squares = frozenset[tuple[int, int]]


def squares(box: Box) -> Squares:
    """The unit squares of a box with whole coordinates."""
    x1, y1, x2, y2 = (int(side) for side in box)
    return frozenset((x, y) for x in range(x1, x2) for y in range(y1, y2))


def shared(one: Box, other: Box) -> tuple[int, int]:
    """Squares in both, squares in either."""
    a, b = squares(one), squares(other)
    return len(a & b), len(a | b)


def slow_official(post: ScoredPost) -> Counted:
    """Yu et al. 2023: exact span, exact type, a region that agrees; each entity is matched at most once."""

    def span(guess: Prediction, gold: GoldEntity) -> bool:
        return guess.span is not None and tuple(guess.span) == tuple(gold.span)

    def kind(guess: Prediction, gold: GoldEntity) -> bool:
        return guess.type == gold.type

    def region(guess: Prediction, gold: GoldEntity) -> bool:
        if not gold.boxes:
            return guess.box is None
        if guess.box is None:
            return False
        overlaps = [shared(guess.box, box) for box in gold.boxes]
        return any(2 * both > either for both, either in overlaps)

    return {
        "gmner": best_matching(post, lambda p, g: span(p, g) and kind(p, g) and region(p, g)),
        "mner": best_matching(post, lambda p, g: span(p, g) and kind(p, g)),
        "eeg": best_matching(post, lambda p, g: span(p, g) and region(p, g)),
    }


def best_matching(post: ScoredPost, agrees: Callable[[Prediction, GoldEntity], bool]) -> tuple[int, int, int]:
    """Tries every way to give each prediction at most one gold entity, and each of these to at most one."""
    guesses, golds = list(post.predictions), list(post.gold)
    nobody = [None] * len(guesses)
    best = 0
    for chosen in permutations([*golds, *nobody], len(guesses)):
        pairs = zip(guesses, chosen, strict=True)
        best = max(best, sum(gold is not None and agrees(guess, gold) for guess, gold in pairs))
    return best, len(guesses), len(golds)


def slow_sake(post: ScoredPost, types: frozenset[str]) -> Counted:
    """What the authors' evaluator does, box by box."""
    guesses = [guess for guess in post.predictions if guess.type in types]
    return {
        "gmner": with_regions(post.gold, guesses, typed=True),
        "mner": counted(
            [f"{gold.phrase}|{gold.type}" for gold in post.gold],
            [f"{guess.phrase}|{guess.type}" for guess in guesses],
        ),
        "eeg": with_regions(post.gold, guesses, typed=False),
    }


def with_regions(
    golds: tuple[GoldEntity, ...], guesses: list[Prediction], *, typed: bool
) -> tuple[int, int, int]:
    if len(golds) == 0 or len(guesses) == 0:
        return 0, 0, 0
    # One record a box, one for an entity that has none.
    records: list[tuple[str, str, Box | None]] = []
    for gold in golds:
        if gold.boxes:
            records.extend((gold.phrase, gold.type if typed else "*", box) for box in gold.boxes)
        else:
            records.append((gold.phrase, gold.type if typed else "*", None))
    wanted = [
        f"{phrase}|{kind}|{'no box' if box is None else f'box {place}'}"
        for place, (phrase, kind, box) in enumerate(records)
    ]
    named = {f"{phrase}|{kind}" for phrase, kind, _ in records}
    given: list[str] = []
    for guess in guesses:
        name = f"{guess.phrase}|{guess.type if typed else '*'}"
        region = "no box" if guess.box is None else region_of(guess.phrase, guess.box, records)
        given.append(f"{name}|{region}")
        # A right name in a wrong place is also counted as if it had been given no box.
        if f"{name}|{region}" not in wanted and name in named:
            given.append(f"{name}|no box")
    return counted(wanted, given)


def region_of(phrase: str, box: Box, records: list[tuple[str, str, Box | None]]) -> str:
    """The first record of this phrase that the box covers by half or more."""
    for place, (name, _, gold) in enumerate(records):
        if gold is not None and name == phrase:
            both, either = shared(box, gold)
            if 2 * both >= either:
                return f"box {place}"
    return "elsewhere"


def counted(wanted: list[str], given: list[str]) -> tuple[int, int, int]:
    """Whatever stands twice counts once."""
    wanted, given = sorted(set(wanted)), sorted(set(given))
    return sum(each in wanted for each in given), len(given), len(wanted)
