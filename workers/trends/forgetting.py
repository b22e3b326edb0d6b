"""Bounded memory: when there are too many names, those with the fewest mentions are forgotten.

In the manner of lossy counting (Manku, Motwani: Approximate frequency counts over data streams, VLDB
2002, section 4.2): the rarest go together, now and then, and what a later record of such a name may
miss is known: at most the sum of the largest counts that were forgotten in its panes.
"""

from __future__ import annotations

import heapq

from workers.trends.state import Name, PartitionState

__all__ = ["forget_least"]

# A tenth at a time: finding the rarest costs a look at all of them.
SHARE = 10


def forget_least(state: PartitionState, max_names: int, offset: int) -> None:
    """Forgets at least one and at most a tenth of `max_names`, because of the record at `offset`.

    First go names that no open window holds (all that is lost then is what is expected of them), then
    those with the fewest mentions in the open windows of the longest length; the longest silent first.
    """
    mentions: dict[Name, int] = {}
    for pane in state.scales[-1].panes.values():
        for name, cell in pane.cells.items():
            mentions[name] = mentions.get(name, 0) + cell.mentions
    count = max(1, max_names // SHARE)
    least = heapq.nsmallest(
        count, state.names.values(), key=lambda name: (mentions.get(name, 0), name.last_offset)
    )
    for name in least:
        del state.names[name.name, name.type]
        state.changed_buckets.add(name.bucket)
        state.totals.dropped_mentions += mentions.get(name, 0)
    state.totals.forgotten_names += len(least)
    _clear_panes(state, least, offset)


def _clear_panes(state: PartitionState, names: list[Name], offset: int) -> None:
    for scale in state.scales:
        for name in names:
            scale.running.pop(name, None)
        for pane in scale.panes.values():
            cells = [cell for name in names if (cell := pane.cells.pop(name, None)) is not None]
            most = max((cell.mentions for cell in cells), default=0)
            if most:
                pane.missed_from_offset = pane.missed_from_offset if pane.missed else offset
                pane.missed += most
            pane.changed |= bool(cells)
