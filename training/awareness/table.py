"""The figures as a page of text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from training.awareness.policies import Policy

__all__ = ["compared", "told"]

TASKS = ("mner", "gmner", "eeg")
NONE = "-"
MAIN = (Policy.NEVER.value, Policy.ADAPTIVE.value, Policy.ALWAYS.value)
SHOWN = tuple(
    f"{ours.value} - {theirs.value}"
    for ours, theirs in (
        (Policy.ADAPTIVE, Policy.NEVER),
        (Policy.ADAPTIVE, Policy.ADAPTIVE_WITHOUT_IMAGES),
        (Policy.ALWAYS_IMAGES, Policy.NEVER),
    )
)
"""Of the differences, those that a page shows of each group; the file has all."""

Figures = dict[str, Any]
Row = Sequence[str]


def told(figures: Figures) -> str:
    """Policies, differences, groups, searches and decisions of one run."""
    tasks = [task for task in TASKS if all(task in each for each in figures["policies"].values())]
    parts = [
        f"{figures['posts']} posts, {figures['with_picture']} with a picture, {figures['refused']} refused",
        *(_scores(figures["policies"], task) for task in tasks),
        _searches(figures["policies"]),
        _differences(figures["differences"], tasks),
    ]
    parts += [_groups(figures["groups"], task) for task in tasks if figures["groups"]]
    return "\n".join([*parts, _search(figures["search"]), _decisions(figures["decision"])])


def compared(figures: Figures) -> str:
    """What one run has more than another."""
    tasks = [task for task in TASKS if all(task in each for each in figures["policies"].values())]
    rows = [
        (
            policy,
            *(_sure(each[task]) for task in tasks),
            _sure(each["queries_a_post"]),
            _sure(each["rounds_a_post"]),
        )
        for policy, each in figures["policies"].items()
    ]
    head = ("first - second", *(f"{task} F1" for task in tasks), "queries a post", "rounds a post")
    groups = [
        (name, policy, *(_sure(each[task]) for task in tasks))
        for name, group in figures["groups"].items()
        for policy, each in group.items()
    ]
    parts = [f"{figures['posts']} posts in both", _aligned([head, *rows])]
    if groups:
        parts.append(_aligned([("group", "", *(f"{task} F1" for task in tasks)), *groups]))
    return "\n\n".join(parts)


def _scores(policies: Figures, task: str) -> str:
    rows: list[Row] = [[f"{task} of the policies", "posts", "F1", "P", "R"]]
    for name, each in policies.items():
        found = each[task]
        scores = (_sure(found["f1"]), _plain(found["precision"]), _plain(found["recall"]))
        rows.append([name, str(each["posts"]), *scores])
    return "\n" + _aligned(rows)


def _searches(policies: Figures) -> str:
    rows: list[Row] = [["searches", "posts that do", "queries a post", "rounds a post", "tokens a post"]]
    for name, each in policies.items():
        a_post = _sure(each["queries_a_post"]), _sure(each["rounds_a_post"])
        rows.append([name, _plain(each["posts_searched"]), *a_post, f"{each['output_tokens_a_post']:.0f}"])
    return "\n" + _aligned(rows)


def _differences(differences: Figures, tasks: Sequence[str]) -> str:
    rows: list[Row] = [["difference", *(f"{task} F1" for task in tasks)]]
    rows += [[name, *(_sure(each[task]) for task in tasks)] for name, each in differences.items()]
    return "\n" + _aligned(rows)


def _groups(groups: Figures, task: str) -> str:
    shown = [pair for pair in SHOWN if any(pair in each["differences"] for each in groups.values())]
    rows: list[Row] = [[f"{task} F1 by group", "entities", *MAIN, *shown]]
    for name, each in groups.items():
        scores = [_plain(each["policies"][policy][task]) for policy in MAIN]
        found = each["differences"]
        changes = [_sure(found[pair][task]) if pair in found else NONE for pair in shown]
        rows.append([name, str(each["entities"]), *scores, *changes])
    return "\n" + _aligned(rows)


def _search(search: Figures) -> str:
    if not search:
        return ""
    share = search["adaptive_over_always"]
    rows: list[Row] = [
        ["adaptive / always", f"queries {_sure(share['queries'])}", f"rounds {_sure(share['rounds'])}"]
    ]
    for tool in ("text", "image"):
        found = search[tool]
        rows.append(
            [
                f"{tool} search",
                f"precision {_sure(found['precision'])}",
                f"recall {_sure(found['recall'])}",
            ]
        )
    return "\n" + _aligned(rows)


def _decisions(decisions: Figures) -> str:
    rows: list[Row] = [["wrong without search", "things", "wrong", "AUROC", "AURC", "best", "served: AUROC"]]
    for aspect, levels in decisions.items():
        for level, found in levels.items():
            rows.append(
                [
                    f"{aspect}, by {level}",
                    str(found["things"]),
                    str(found["wrong"]),
                    _sure(found["auroc"]),
                    _sure(found["aurc"]),
                    f"{found['best_aurc']:.3f}",
                    _sure(found["greedy"]["auroc"]),
                ]
            )
    return "\n" + _aligned(rows)


def _sure(figure: Sequence[float] | None) -> str:
    if figure is None:
        return NONE
    value, low, high = figure
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"


def _plain(figure: Sequence[float] | None) -> str:
    return NONE if figure is None else f"{figure[0]:.3f}"


def _aligned(rows: Iterable[Row]) -> str:
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)] if rows else []
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "\n".join(lines)
