"""From a partition's state to the table and back: parts that never change, and a manifest.

A checkpoint is consistent although it has many keys: parts (a sixteenth of the names; one pane) are
written under keys of their own, only those that changed, and then one manifest says which parts make
up the state, up to which offset. Whoever reads sees the last manifest that was written whole. What
came after it is counted again from the source topic, with the same result.

Keys are `{partition}/{part}/{epoch}/{chunk}` and `{partition}/manifest`; values are MessagePack.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from schemas.errors import OperatorError
from workers.trends.burst import Past
from workers.trends.counting import fresh_state
from workers.trends.limits import TrendLimits
from workers.trends.state import BUCKETS, Cell, Example, Name, Pane, PartitionState, Scale, Totals

__all__ = ["Checkpoint", "Checkpoints", "StateUnusable", "partition_of"]

# Moves when a new program could not read an old state.
VERSION = 1
# Half of Kafka's default message.max.bytes.
CHUNK_BYTES = 512 * 1024
# No two checkpoints share a key, whichever worker made them: parts never change.
EPOCH_BYTES = 8


class StateUnusable(OperatorError):
    """The state that was kept does not fit the settings, or is incomplete."""


class ScaleRow(msgspec.Struct, array_like=True, frozen=True):
    """What a Scale knows besides its panes."""

    length_ms: int
    hop_ms: int
    next_end_ms: int
    first_index: int
    running_start_ms: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """Which parts make up the state, and all of it that is small."""

    version: int
    next_offset: int
    watermark_ms: int
    next_id: int
    totals: Totals
    scales: tuple[ScaleRow, ...]
    parts: dict[str, tuple[str, int]]
    """Part → its epoch and its number of chunks."""


class NameRow(msgspec.Struct, array_like=True, frozen=True):
    """A Name."""

    id: int
    name: str
    type: str
    born_offset: int
    last_offset: int
    pasts: tuple[tuple[float, float, int], ...]
    burst_index: tuple[int, ...]


class CellRow(msgspec.Struct, array_like=True, frozen=True):
    """A Cell and the id of its name."""

    name_id: int
    mentions: int
    posts: int
    grounded: int
    late: int
    examples: tuple[Example, ...]
    post: int | None
    seen: tuple[int, ...] | None


class PaneRow(msgspec.Struct, array_like=True, frozen=True):
    """A Pane."""

    missed: int
    missed_from_offset: int
    cells: tuple[CellRow, ...]


NameRows = tuple[NameRow, ...]

_encode = msgspec.msgpack.Encoder().encode
_manifest = msgspec.msgpack.Decoder(Manifest).decode
_names = msgspec.msgpack.Decoder(NameRows).decode
_pane = msgspec.msgpack.Decoder(PaneRow).decode


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What to write, in this order: all parts, then the manifest; then `stale` may be deleted.

    Stale is what the checkpoint before the last one used: so a worker that has lost the partition, and
    does not know it yet, can still write a manifest that names nothing which is gone.
    """

    next_offset: int
    parts: tuple[tuple[bytes, bytes], ...]
    manifest: tuple[bytes, bytes]
    stale: tuple[bytes, ...]


@dataclass(slots=True)
class Checkpoints:
    """The checkpoints of one partition: knows which parts are in the table."""

    partition: int
    limits: TrendLimits
    _parts: dict[str, tuple[str, int]] = field(default_factory=dict)
    _stale: set[bytes] = field(default_factory=set)

    @property
    def manifest_key(self) -> bytes:
        """The one key that is written again and again."""
        return f"{self.partition}/manifest".encode()

    def load(self, items: Mapping[bytes, bytes]) -> PartitionState:
        """The state that the table's items of this partition hold; a fresh one when there is none.

        All of it counts as changed: the next checkpoint writes everything anew, so that no manifest
        names a part which only this machine's disk has. Raises StateUnusable.
        """
        state = fresh_state(self.limits)
        value = items.get(self.manifest_key)
        if value is None:
            self._stale = set(items)
            return state
        manifest = self._checked(value, state)
        self._parts = dict(manifest.parts)
        needed = {key for part in self._parts for key in self._keys(part)}
        self._stale = set(items) - needed - {self.manifest_key}
        blobs = {part: self._blob(part, items) for part in self._parts}
        _restore(state, manifest, blobs)
        return state

    def make(self, state: PartitionState) -> Checkpoint:
        """A checkpoint of the state as it is now; what changed counts as written from here on."""
        epoch = secrets.token_hex(EPOCH_BYTES)
        stale, self._stale = tuple(self._stale), set()
        blobs = dict(_changed(state))
        wanted = {f"names-{bucket}" for bucket in range(BUCKETS)} | {part for part, _ in _panes(state)}
        for part in list(self._parts):
            if part in blobs or part not in wanted:
                self._stale.update(self._keys(part))
                del self._parts[part]
        parts: list[tuple[bytes, bytes]] = []
        for part, blob in blobs.items():
            chunks = [blob[at : at + CHUNK_BYTES] for at in range(0, len(blob), CHUNK_BYTES)]
            self._parts[part] = (epoch, len(chunks))
            parts += zip(self._keys(part), chunks, strict=True)
        manifest = (self.manifest_key, _encode(self._manifest(state)))
        return Checkpoint(state.next_offset, tuple(parts), manifest, stale)

    def _manifest(self, state: PartitionState) -> Manifest:
        return Manifest(
            version=VERSION,
            next_offset=state.next_offset,
            watermark_ms=state.watermark_ms,
            next_id=state.next_id,
            totals=state.totals,
            scales=tuple(
                ScaleRow(
                    scale.length_ms,
                    scale.hop_ms,
                    scale.next_end_ms,
                    scale.first_index,
                    scale.running_start_ms,
                )
                for scale in state.scales
            ),
            parts=self._parts,
        )

    def _checked(self, value: bytes, fresh: PartitionState) -> Manifest:
        try:
            manifest = _manifest(value)
        except msgspec.DecodeError as error:
            raise StateUnusable(f"the trends' state cannot be read ({error}); set another group") from error
        if manifest.version != VERSION:
            raise StateUnusable(
                f"the trends' state is of version {manifest.version}, this program needs {VERSION}; "
                "set another SAKE_TRENDS_GROUP to count anew"
            )
        kept = [(row.length_ms, row.hop_ms) for row in manifest.scales]
        if kept != [(scale.length_ms, scale.hop_ms) for scale in fresh.scales]:
            raise StateUnusable(
                f"the trends' state has windows of (length, hop) {kept} ms, the settings others; "
                "put the settings back, or set another SAKE_TRENDS_GROUP to count anew"
            )
        return manifest

    def _keys(self, part: str) -> list[bytes]:
        epoch, chunks = self._parts[part]
        return [f"{self.partition}/{part}/{epoch}/{chunk}".encode() for chunk in range(chunks)]

    def _blob(self, part: str, items: Mapping[bytes, bytes]) -> bytes:
        chunks = [items.get(key) for key in self._keys(part)]
        found = [chunk for chunk in chunks if chunk is not None]
        if len(found) < len(chunks):
            raise StateUnusable(
                f"the trends' state of partition {self.partition} lacks {part}; "
                "set another SAKE_TRENDS_GROUP to count anew"
            )
        return b"".join(found)


def partition_of(key: bytes) -> int:
    """The partition to which a key belongs."""
    return int(key.split(b"/", 1)[0])


def _panes(state: PartitionState) -> Iterable[tuple[str, Pane]]:
    for at, scale in enumerate(state.scales):
        for start_ms, pane in scale.panes.items():
            yield f"pane-{at}-{start_ms}", pane


def _changed(state: PartitionState) -> Iterable[tuple[str, bytes]]:
    buckets: dict[int, list[NameRow]] = {bucket: [] for bucket in state.changed_buckets}
    for name in state.names.values():
        rows = buckets.get(name.bucket)
        if rows is not None:
            rows.append(_name_row(name))
    state.changed_buckets.clear()
    for bucket, rows in buckets.items():
        yield f"names-{bucket}", _encode(rows)
    for part, pane in _panes(state):
        if pane.changed:
            pane.changed = False
            cells = tuple(_cell_row(name, cell) for name, cell in pane.cells.items())
            yield part, _encode(PaneRow(pane.missed, pane.missed_from_offset, cells))


def _name_row(name: Name) -> NameRow:
    pasts = tuple((past.mean, past.variance, past.index) for past in name.pasts)
    return NameRow(
        name.id, name.name, name.type, name.born_offset, name.last_offset, pasts, tuple(name.burst_index)
    )


def _cell_row(name: Name, cell: Cell) -> CellRow:
    seen = None if cell.seen is None else tuple(cell.seen)
    return CellRow(
        name.id, cell.mentions, cell.posts, cell.grounded, cell.late, cell.examples, cell.post, seen
    )


def _restore(state: PartitionState, manifest: Manifest, blobs: Mapping[str, bytes]) -> None:
    state.next_offset = manifest.next_offset
    state.watermark_ms = manifest.watermark_ms
    state.next_id = manifest.next_id
    state.totals = manifest.totals
    for scale, row in zip(state.scales, manifest.scales, strict=True):
        scale.next_end_ms = row.next_end_ms
        scale.first_index = row.first_index
        scale.running_start_ms = row.running_start_ms
    by_id: dict[int, Name] = {}
    for part, blob in blobs.items():
        if part.startswith("names-"):
            for name_row in _names(blob):
                name = by_id[name_row.id] = _name_of(name_row)
                state.names[name.name, name.type] = name
    for part, blob in blobs.items():
        if part.startswith("pane-"):
            _, at, start_ms = part.split("-", 2)
            state.scales[int(at)].panes[int(start_ms)] = _pane_of(_pane(blob), by_id)
    state.changed_buckets = set(range(BUCKETS))
    for scale in state.scales:
        _restore_running(scale)


def _name_of(row: NameRow) -> Name:
    name = Name(row.id, row.name, row.type, row.born_offset, len(row.pasts))
    name.last_offset = row.last_offset
    name.pasts = [Past(*past) for past in row.pasts]
    name.burst_index = list(row.burst_index)
    return name


def _pane_of(row: PaneRow, by_id: Mapping[int, Name]) -> Pane:
    pane = Pane(missed=row.missed, missed_from_offset=row.missed_from_offset)
    for cell_row in row.cells:
        cell = pane.cells[by_id[cell_row.name_id]] = Cell()
        cell.mentions, cell.posts = cell_row.mentions, cell_row.posts
        cell.grounded, cell.late = cell_row.grounded, cell_row.late
        cell.examples, cell.post = cell_row.examples, cell_row.post
        cell.seen = None if cell_row.seen is None else set(cell_row.seen)
    return pane


def _restore_running(scale: Scale) -> None:
    """The newest tumbling window's counts are those of its panes."""
    start_ms = scale.running_start_ms
    for pane_start_ms, pane in scale.panes.items():
        if start_ms <= pane_start_ms < start_ms + scale.length_ms:
            for name, cell in pane.cells.items():
                if cell.mentions:
                    scale.running[name] = scale.running.get(name, 0) + cell.mentions
