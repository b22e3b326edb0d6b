"""The distribution of a run's tags as a picture: what the model knows, what it does not, what it guesses."""

from __future__ import annotations

from pathlib import Path

from schemas.entities import Tool
from training.tags.bands import Band, Distribution, SearchTag

__all__ = ["plot_distribution"]

COLOURS = {Band.REQUIRED: "#c0392b", Band.AMBIGUOUS: "#e0a030", Band.NONE: "#2e7d5b"}
TITLES = {Tool.TEXT: "name and type right", Tool.IMAGE: "name and place right"}
SIZE_INCHES = (11, 3.4)
DPI = 120


def plot_distribution(found: Distribution, path: Path, samples: int) -> None:
    """Entities by their number of hits, one panel a tool, and by tag. `samples` = those of one post.

    Needs the model environment (matplotlib).
    """
    from matplotlib.figure import Figure  # noqa: PLC0415  (no display is asked for)

    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    panels = figure.subplots(1, 3)
    for panel, tool in zip(panels, Tool, strict=False):
        counts = [found.hits[tool].get(hit, 0) for hit in range(samples + 1)]
        ends = {0: Band.REQUIRED, samples: Band.NONE}
        colours = [COLOURS[ends.get(hit, Band.AMBIGUOUS)] for hit in range(samples + 1)]
        panel.bar(range(samples + 1), counts, color=colours)
        panel.set_title(f"{TITLES[tool]} ({found.mean_uncertainty[tool]:.0%} wrong)")
        panel.set_xlabel(f"of {samples} samples")
    panels[0].set_ylabel("entities")
    panels[2].bar(
        [tag.value for tag in SearchTag], [found.tags.get(tag, 0) for tag in SearchTag], color="#456"
    )
    panels[2].set_title("search required")
    figure.suptitle(f"{found.entities:,} entities of {found.posts:,} posts")
    figure.savefig(path, dpi=DPI)
