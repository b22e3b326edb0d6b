"""The page as a whole: one file that needs no network and runs no script."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from workers.evaluation.figures import TASKS, Figures
from workers.evaluation.joined import Joined
from workers.evaluation.mistakes import mistakes_of
from workers.evaluation.report.gallery import chosen, gallery
from workers.evaluation.report.html import Markup, el, join, table
from workers.evaluation.report.plots import Bar, bars, cumulative, differences

__all__ = ["GALLERY_POSTS", "page"]

GALLERY_POSTS = 40

STYLE = """
:root{--ground:#fff;--card:#f4f4f2;--ink:#1d1d1f;--dim:#62626a;--line:#cfcfd4;--one:#2f6fb4;--two:#b4632f;
--gold:#0a7a3c;--found:#b3261e}
@media(prefers-color-scheme:dark){:root{--ground:#15171b;--card:#1f2228;--ink:#e9e9ec;--dim:#a0a4ad;
--line:#3b3f48;--one:#6fa8e6;--two:#e6a06f;--gold:#5fd18d;--found:#ff8a80}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--ground);max-width:76rem;
margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.2rem;margin-top:2.5rem}h3{font-size:1rem;margin:.2rem 0}
table{border-collapse:collapse;margin:1rem 0;font-variant-numeric:tabular-nums}
th,td{padding:.2rem .8rem;text-align:right;border-bottom:1px solid var(--line)}th:first-child{text-align:left}
figure{margin:1rem 0;max-width:44rem}figcaption,.note{color:var(--dim);font-size:.87rem}
.plot text{font:12px system-ui,sans-serif;fill:var(--ink)}.plot .label{text-anchor:end}
.plot .tick{text-anchor:middle;fill:var(--dim)}.grid{stroke:var(--line)}.zero{stroke:var(--ink)}
.bar.m0{fill:var(--one)}.bar.m1{fill:var(--two);fill-opacity:.55;stroke:var(--two);stroke-dasharray:3 2}
.whisker{stroke:var(--ink);fill:none;stroke-width:1.5}circle{fill:var(--one)}
.curve{fill:none;stroke-width:2}.curve.m0{stroke:var(--one)}.curve.m1{stroke:var(--two);stroke-dasharray:6 3}
.gallery{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(22rem,100%),1fr));gap:1rem}
article{background:var(--card);border-radius:8px;padding:1rem;overflow-wrap:anywhere}
.picture{width:100%;max-height:26rem}.picture .ground{fill:var(--line)}
.picture text{font-family:system-ui,sans-serif;font-weight:700;paint-order:stroke;stroke:#000;
stroke-width:.15em}
.picture .gold{stroke:#39d98a}.picture .gold text{fill:#39d98a}
.picture .found{stroke:#ff9d2e}.picture .found text{fill:#ff9d2e}
mark{background:none;color:inherit}mark.gold{border-bottom:2px solid var(--gold)}
mark.found{border-bottom:2px dashed var(--found)}sub{font-size:.7em;color:var(--dim)}
ul{padding-left:1.2rem}.scroll{overflow-x:auto}
"""

PARTS = (
    ("by_type", "By type", "A type counts where the gold or the prediction has it."),
    ("by_seen", "By name", "Seen: the name, however it is spelt, is one of the training gold."),
    ("by_outcome", "By how the post ended", "A degraded post counts for each of its reasons."),
    ("by_search", "With and without a search", "Posts in which the model searched, and the others."),
)


def page(report: Mapping[str, Any], joined: Sequence[Joined], gallery_posts: int = GALLERY_POSTS) -> str:
    """The HTML of a report: `report` as the command has it, `joined` the posts of its models."""
    models = report["models"]
    names = [str(model["name"]) for model in models]
    body = [
        el("h1", "Evaluation"),
        el("p", f"Gold: {report['gold']}, {report['split']}. Scorer: {models[0]['scorer']}."),
        *(_posts(model) for model in models),
        el("h2", "Scores"),
        _scores(models),
        bars(_bars(models), "F1 with its 95 % interval" + _hatched(names)),
    ]
    if "difference" in report:
        body += [el("h2", "Side by side"), *_difference(report["difference"], names)]
    for key, title, note in PARTS:
        if any(model.get(key) for model in models):
            body += [el("h2", title), el("p", note, class_="note"), _part(models, key)]
    body += [el("h2", "Searches, cost, latency"), _spent(models), *_latency(models, joined)]
    body += [el("h2", "What went wrong"), _kinds(joined)]
    for each in joined[:1]:
        body += _gallery(each, gallery_posts)
    return _document(body)


def _document(body: Sequence[Markup]) -> str:
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    head = join(
        [
            Markup('<meta charset="utf-8">'),
            Markup(f'<meta http-equiv="Content-Security-Policy" content="{policy}">'),
            Markup('<meta name="viewport" content="width=device-width">'),
            el("title", "Evaluation"),
            Markup(f"<style>{STYLE}</style>"),
        ]
    )
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>{join(body)}</body></html>\n'


def _hatched(names: Sequence[str]) -> str:
    return f"; plain {names[0]}, dashed {names[1]}" if len(names) > 1 else ""


def _posts(model: Figures) -> Markup:
    posts = model["posts"]
    words = (
        ("missing", "not recognised"),
        ("extra", "not in the gold"),
        ("repeated", "replaced by a later one"),
        ("spans_misread", "spans that do not read what they say"),
    )
    told = [f"{posts[name]} {text}" for name, text in words if posts[name]]
    head = f"{posts['recognised']} of {posts['gold']} posts recognised, {posts['scored']} scored"
    return el("p", el("b", str(model["name"])), ": " + "; ".join([head, *told]) + ".")


def _scores(models: Sequence[Figures]) -> Markup:
    rows = []
    for model in models:
        for task in TASKS:
            each = model[task]
            shares = [f"{each[name]:.3f}" for name in ("precision", "recall", "f1")]
            interval = " – ".join(f"{end:.3f}" for end in each.get("f1_95", ()))
            counts = [f"{each[name]:,}" for name in ("right", "predicted", "gold")]
            rows.append([f"{task.upper()} {_short(model, models)}", *shares, interval, *counts])
    return _scroll(table(["", "precision", "recall", "F1", "95 %", "right", "predicted", "gold"], rows))


def _short(model: Figures, models: Sequence[Figures]) -> str:
    return str(model["name"]) if len(models) > 1 else ""


def _bars(models: Sequence[Figures]) -> list[Bar]:
    rows = []
    for task in TASKS:
        for number, model in enumerate(models):
            low_high = model[task].get("f1_95")
            interval = (low_high[0], low_high[1]) if low_high else None
            rows.append(Bar(task.upper(), model[task]["f1"], interval, number))
    return rows


def _difference(difference: Figures, names: Sequence[str]) -> list[Markup]:
    told = [(task.upper(), difference[task]["f1_difference"]) for task in TASKS if task in difference]
    if not told:
        return [el("p", "The two have no post in common.")]
    rows = [
        (
            task.upper(),
            "{:+.3f} [{:+.3f}, {:+.3f}]".format(*difference[task]["f1_difference"]),
            "yes" if difference[task]["significant"] else "no",
            str(difference[task]["posts_better"]),
            str(difference[task]["posts_worse"]),
        )
        for task in TASKS
    ]
    title = f"F1 of {names[0]} less F1 of {names[1]}, 95 % interval, paired over {difference['posts']} posts"
    heads = ["", "difference", "zero is outside", "posts with more right", "with fewer"]
    return [differences(told, title), _scroll(table(heads, rows))]


def _part(models: Sequence[Figures], key: str) -> Markup:
    rows, drawn = [], []
    names = {name: None for model in models for name in model.get(key, {})}
    tasks = [task for task in TASKS if any(task in row for m in models for row in m.get(key, {}).values())]
    for name in names:
        for number, model in enumerate(models):
            row = model.get(key, {}).get(name)
            if row is None:
                continue
            sizes = [str(row["posts"])] if "posts" in row else []
            sizes += [str(row["mner"]["gold"]), str(row["mner"]["predicted"])]
            rows.append([f"{name} {_short(model, models)}", *sizes, *(f"{row[t]['f1']:.3f}" for t in tasks)])
            drawn.append(Bar(name, row["gmner"]["f1"], None, number))
    counted = ["posts", "gold", "predicted"] if len(rows[0]) > 3 + len(tasks) else ["gold", "predicted"]
    heads = ["", *counted, *(f"{task.upper()} F1" for task in tasks)]
    title = "GMNER F1" + _hatched([str(model["name"]) for model in models])
    return join([_scroll(table(heads, rows)), bars(drawn, title)])


def _spent(models: Sequence[Figures]) -> Markup:
    rows: list[list[str]] = []
    for model in models:
        search, cost = model["search"], model["cost"]
        if not search and not cost:
            continue
        row = [str(model["name"]), f"{search['rate']:.1%}", f"{search['queries_a_post']:.2f}"]
        row += [f"{cost['prompt_tokens']:,}", f"{cost['output_tokens']:,}", f"{cost['tokens_a_post']:,.0f}"]
        row.append(f"{cost['price']:,.4f} {cost['currency']}" if "price" in cost else "–")
        rows.append(row)
    if not rows:
        return el("p", "The predictions do not tell their rounds.", class_="note")
    heads = ["", "posts that searched", "queries a post", "tokens in", "tokens out", "tokens a post", "price"]
    return _scroll(table(heads, rows))


def _latency(models: Sequence[Figures], joined: Sequence[Joined]) -> list[Markup]:
    rows = [
        [
            f"{stage} {_short(model, models)}",
            *(f"{spread[p]:,.0f}" for p in ("p50", "p90", "p95", "p99", "max")),
        ]
        for model in models
        for stage, spread in model["latency_ms"].items()
    ]
    if not rows:
        return [el("p", "The predictions do not tell their times.", class_="note")]
    series = [
        (each.name, [p.found.timings.total_ms for p in each.posts if p.found and p.found.timings])
        for each in joined
    ]
    title = "Share of the posts that took at most so long" + _hatched([name for name, _ in series])
    return [_scroll(table(["ms", "p50", "p90", "p95", "p99", "max"], rows)), cumulative(series, title)]


def _kinds(joined: Sequence[Joined]) -> Markup:
    counts = [
        Counter(mistake.kind.value for post in each.posts for mistake in mistakes_of(post.scored))
        for each in joined
    ]
    kinds = sorted({kind for each in counts for kind in each}, key=lambda kind: -counts[0][kind])
    rows = [[kind, *(str(each[kind]) for each in counts)] for kind in kinds]
    return _scroll(table(["mistakes", *(each.name for each in joined)], rows))


def _gallery(joined: Joined, most: int) -> list[Markup]:
    posts = chosen(joined.posts, most)
    if not posts:
        return [el("p", "Nothing." if most else "No gallery was asked for.")]
    note = (
        f"{len(posts)} posts of {joined.name}, first those whose pictures are here, then those with most "
        "mistakes. What is right is drawn and underlined whole, what was found dashed; ▣ has a box."
    )
    return [el("p", note, class_="note"), gallery(posts)]


def _scroll(inner: Markup) -> Markup:
    return el("div", inner, class_="scroll")
