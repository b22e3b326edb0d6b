"""Gold spans count tokens, ours count code points: the way from one to the other."""

from __future__ import annotations

from collections.abc import Sequence

from sake_model.scoring.records import Spot

__all__ = ["char_span", "token_offsets", "token_span"]


def token_offsets(text: str, tokens: Sequence[str]) -> tuple[Spot, ...]:
    """Where each token lies in the text, in code points; each is looked for after the one before.

    The text may be the tokens joined by spaces, or the post as it was before it was cut up.
    Raises ValueError when a token is not there.
    """
    offsets, at = [], 0
    for token in tokens:
        start = text.find(token, at)
        if start < 0 or not token:
            raise ValueError(f"token {token!r} is not in the text after offset {at}")
        at = start + len(token)
        offsets.append((start, at))
    return tuple(offsets)


def char_span(offsets: Sequence[Spot], tokens: Spot) -> Spot:
    """The code points that the half-open token span covers. Raises ValueError for an empty span."""
    first, end = tokens
    if not 0 <= first < end <= len(offsets):
        raise ValueError(f"{tokens} is no span of {len(offsets)} tokens")
    return offsets[first][0], offsets[end - 1][1]


def token_span(offsets: Sequence[Spot], chars: Spot) -> Spot | None:
    """The half-open token span with exactly these ends; None when an end lies inside a token."""
    first = next((index for index, (start, _) in enumerate(offsets) if start == chars[0]), None)
    last = next((index for index, (_, end) in enumerate(offsets) if end == chars[1]), None)
    if first is None or last is None or last < first:
        return None
    return first, last + 1
