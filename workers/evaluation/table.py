"""The figures as tables for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from workers.evaluation.figures import TASKS, Figures

__all__ = ["show"]

PARTS = (
    ("by_type", "type"),
    ("by_seen", "name"),
    ("by_outcome", "posts that ended"),
    ("by_search", "posts"),
)


def show(report: Mapping[str, Any], console: Console) -> None:
    """What `sake evaluate` prints without --json."""
    models = report["models"]
    for figures in models:
        console.print(_heading(figures), highlight=False, soft_wrap=True)
        console.print(_main(figures))
        for key, head in PARTS:
            if figures.get(key):
                console.print(_part(head, figures[key]))
        for line in _rest(figures):
            console.print(line, highlight=False, soft_wrap=True)
        console.print()
    if "difference" in report:
        console.print(_difference(report["difference"], models), highlight=False, soft_wrap=True)


def _heading(figures: Figures) -> str:
    posts = figures["posts"]
    text = f"{figures['name']}: {posts['recognised']} of {posts['gold']} posts were recognised"
    notes = {
        "extra": "are not in the gold and not scored",
        "repeated": "were replaced by a later one of the same post",
        "spans_misread": "spans do not read in the post what they say",
    }
    told = [f"{posts[name]} {words}" for name, words in notes.items() if posts[name]]
    if posts["missing"] and posts["scored"] == posts["gold"]:
        told.insert(0, f"the {posts['missing']} others count as if nothing had been found in them")
    if not posts["gold_boxes"]:
        told.append("no entity of the gold has a box (is its xml/ there? else name it with --boxes)")
    if posts["unknown_types"]:
        kinds = ", ".join(f"{name} ({count})" for name, count in posts["unknown_types"].items())
        told.append(f"types that the gold does not know: {kinds}")
    return "; ".join([text, *told])


def _table(*heads: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, head in enumerate(heads):
        table.add_column(head, justify="right" if number else "left")
    return table


def _main(figures: Figures) -> Table:
    table = _table(
        figures["scorer"], "precision", "recall", "F1", "95 % interval", "right", "predicted", "gold"
    )
    for task in TASKS:
        each = figures[task]
        low_high = " – ".join(f"{end:.3f}" for end in each.get("f1_95", ()))
        shares = (f"{each[name]:.3f}" for name in ("precision", "recall", "f1"))
        counts = (str(each[name]) for name in ("right", "predicted", "gold"))
        table.add_row(task.upper(), *shares, low_high, *counts)
    return table


def _part(head: str, rows: Figures) -> Table:
    tasks = [task for task in TASKS if any(task in row for row in rows.values())]
    has_posts = any("posts" in row for row in rows.values())
    first = ["posts"] if has_posts else ["gold", "predicted"]
    table = _table(head, *first, *(f"{task.upper()} F1" for task in tasks))
    for name, row in rows.items():
        sizes = [row["posts"]] if has_posts else [row["mner"]["gold"], row["mner"]["predicted"]]
        table.add_row(name, *map(str, sizes), *(f"{row[task]['f1']:.3f}" for task in tasks))
    return table


def _rest(figures: Figures) -> list[str]:
    lines = []
    if search := figures["search"]:
        queries = ", ".join(f"{count} {tool}" for tool, count in search["queries"].items())
        lines.append(
            f"searches      {search['rate']:.1%} of the posts; {search['queries_a_post']:.2f} queries a post "
            f"({queries}); {search['results']} results"
        )
    if cost := figures["cost"]:
        text = (
            f"cost          {cost['prompt_tokens']:,} tokens in, {cost['output_tokens']:,} out, "
            f"{cost['tokens_a_post']:,.0f} a post"
        )
        if "price" in cost:
            thousand = 1000 * cost["price_a_post"]
            text += f"; {cost['price']:,.4f} {cost['currency']}, {thousand:,.4f} for 1,000 posts"
        lines.append(text)
    for stage, spread in figures["latency_ms"].items():
        numbers = ", ".join(f"{name} {spread[name]:,.0f}" for name in ("p50", "p90", "p95", "p99", "max"))
        lines.append(f"{stage + ' ms':<13} {numbers}")
    return lines


def _difference(difference: Figures, models: list[Figures]) -> str:
    lines = [f"{models[0]['name']} less {models[1]['name']}, {difference['posts']} posts, paired:"]
    for task in TASKS:
        if each := difference.get(task):
            value, low, high = each["f1_difference"]
            sure = "" if each["significant"] else "; zero is within"
            lines.append(
                f"  {task.upper():<5} F1 {value:+.3f} [{low:+.3f}, {high:+.3f}]{sure}; "
                f"more right in {each['posts_better']} posts, fewer in {each['posts_worse']}"
            )
    if queries := difference.get("queries_a_post_difference"):
        lines.append(f"  queries a post {queries[0]:+.2f} [{queries[1]:+.2f}, {queries[2]:+.2f}]")
    return "\n".join(lines)
