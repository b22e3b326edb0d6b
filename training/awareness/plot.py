"""The decisions to search as pictures: risk by coverage, for names and types, and for places."""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["plot_curves"]

COLOURS = {"post": "#c0392b", "entity": "#2e7d5b"}
TITLES = {"text": "name and type, by text search", "image": "name and place, by image search"}
PANEL_INCHES = (4.6, 3.6)
DPI = 120


def plot_curves(figures: dict[str, Any], path: Path) -> None:
    """One panel a kind of search; the dot is the decision as served, the dashes are no decision at all.

    Needs the model environment (matplotlib).
    """
    from matplotlib.figure import Figure  # noqa: PLC0415  (no display is asked for)

    decisions: dict[str, Any] = figures["decision"]
    width, height = PANEL_INCHES
    figure = Figure(figsize=(width * max(1, len(decisions)), height), layout="constrained")
    panels = figure.subplots(1, max(1, len(decisions)), squeeze=False)[0]
    for panel, (aspect, levels) in zip(panels, decisions.items(), strict=False):
        for level, found in levels.items():
            curve, colour, served = found["coverage_and_risk"], COLOURS[level], found["greedy"]
            sure = found["auroc"]
            said = f", AUROC {sure[0]:.2f} [{sure[1]:.2f}, {sure[2]:.2f}]" if sure else ""
            panel.plot(
                [point[0] for point in curve],
                [point[1] for point in curve],
                marker=".",
                color=colour,
                label=f"{level}: AURC {found['aurc'][0]:.3f}{said}",
            )
            panel.axhline(found["error_rate"], color=colour, linewidth=0.8, linestyle="--")
            if served["risk"] is not None:
                panel.plot(served["coverage"], served["risk"], "o", color=colour, fillstyle="none")
        panel.set_title(TITLES[aspect])
        panel.set_xlabel("coverage: share answered without a search")
        panel.set_ylabel("risk: error rate among these")
        panel.set_xlim(0, 1.02)
        panel.set_ylim(0, 1.02)
        panel.legend(fontsize=7)
    figure.suptitle(f"{figures['posts']:,} posts, {figures['samples']} first turns each")
    figure.savefig(path, dpi=DPI)
