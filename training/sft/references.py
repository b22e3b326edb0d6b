"""Where in a dialogue the reference pictures stand, and whose they are.

An observation writes a reference's title on the line before its visual tokens
(`sake_model.dialogue`). The first picture is the post's own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sake_model.search.names import compact

__all__ = ["references_of"]

TITLE_TOKENS = 40
"""No title of a reference is longer; what stands before is not read."""


def references_of(ids: Sequence[int], piece: Callable[[int], str], image_id: int) -> dict[str, range]:
    """The positions of each reference's visual tokens by its title, compact; of several of a title the first.

    `piece` is a token's text.
    """
    found: dict[str, range] = {}
    for run in _runs(ids, image_id)[1:]:
        before = "".join(piece(token) for token in ids[max(0, run.start - TITLE_TOKENS) : run.start])
        lines = before.split("\n")  # the last one holds the mark that a picture begins
        if len(lines) > 1:
            found.setdefault(compact(lines[-2]), run)
    return found


def _runs(ids: Sequence[int], wanted: int) -> list[range]:
    """Where one token stands again and again."""
    runs: list[range] = []
    for position, token in enumerate(ids):
        if token != wanted:
            continue
        if runs and runs[-1].stop == position:
            runs[-1] = range(runs[-1].start, position + 1)
        else:
            runs.append(range(position, position + 1))
    return runs
