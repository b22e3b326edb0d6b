"""What a run writes down of each step, and the picture of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from training.appendlog import read_records

__all__ = ["CURVES_FILE", "PLOT_FILE", "StepRecord", "kept_records", "plot_curves"]

CURVES_FILE = "curves.jsonl"
PLOT_FILE = "curves.png"

PANELS = (
    ("reward", "reward"),
    ("f1", "F1 of a dialogue"),
    ("search_rate", "share that searches"),
    ("searches", "queries a dialogue"),
    ("kl", "KL to the start, a token"),
    ("length", "tokens written a dialogue"),
)
COLUMNS = 3
SIZE_INCHES = (11, 5.6)
DPI = 120
SMOOTH_STEPS = 5
"""The thick line is the mean of so many steps."""


class StepRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Means over the dialogues of one step, before its update."""

    step: int
    """1 for the first."""
    posts: tuple[str, ...]
    """The step's prompts, in their order."""
    reward: float
    f1: float
    right: float
    """Share of dialogues with an F1 of 1."""
    well_formed: float
    search_rate: float
    """Share of dialogues that searched, of those that might."""
    searches: float
    """Queries looked up, of those that might."""
    rounds: float
    length: float
    """Tokens that the model wrote."""
    kl: float
    """k3 to the policy of the start, a token; of the groups that were learnt from."""
    clipped: float
    """Share of tokens that the clip cut off."""
    drift: float
    """Mean absolute difference between a token's log-probability as sampled and as learnt: rounding,
    and the updates between."""
    learnt_groups: int
    """Groups whose rewards differ: the others teach nothing."""
    loss: float
    grad_norm: float
    learning_rate: float
    sampling_s: float
    learning_s: float


def kept_records(path: Path, upto: int) -> list[StepRecord]:
    """The file's records of steps 1 to `upto`; the file is left with these alone.

    A run that was killed has told of steps that its last checkpoint does not have.
    """
    if not path.is_file():
        return []
    records = [record for record in read_records(path, StepRecord) if record.step <= upto]
    path.write_bytes(b"".join(msgspec.json.encode(record) + b"\n" for record in records))
    return records


def plot_curves(records: Sequence[StepRecord], path: Path) -> None:
    """One panel a curve. Needs the model environment (matplotlib)."""
    from matplotlib.figure import Figure  # noqa: PLC0415  (no display is asked for)

    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    panels = figure.subplots(-(-len(PANELS) // COLUMNS), COLUMNS).flat
    steps = [record.step for record in records]
    for panel, (name, title) in zip(panels, PANELS, strict=True):
        values = [getattr(record, name) for record in records]
        panel.plot(steps, values, color="#9bb", linewidth=1)
        panel.plot(steps, _smoothed(values), color="#2e7d5b", linewidth=2)
        panel.set_title(title)
        panel.set_xlabel("step")
    figure.savefig(path, dpi=DPI)


def _smoothed(values: Sequence[float]) -> list[float]:
    parts = [values[max(0, i + 1 - SMOOTH_STEPS) : i + 1] for i in range(len(values))]
    return [sum(part) / len(part) for part in parts]
