"""All figures of one evaluation, as they are printed, drawn, and written as JSON.

Scores are micro: of all posts, of one type, of names that training has met and of others, and of posts
by how they ended and whether the model searched.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from sake_model.scoring import WHOLE, Counts, Part, PostScorer, Scores, bootstrap
from sake_model.scoring.sure import DIGITS
from schemas.entities import Tool
from schemas.ids import normalised_name
from schemas.recognitions import RoundAction
from workers.evaluation.joined import Joined, JoinedPost
from workers.evaluation.prices import Prices

__all__ = ["TASKS", "Figures", "counts_of", "figures_of", "queries_of", "seen_names"]

TASKS = ("gmner", "mner", "eeg")
PERCENTILES = (50, 90, 95, 99)
SEARCHES = {RoundAction.TEXT_SEARCH: Tool.TEXT, RoundAction.IMAGE_SEARCH: Tool.IMAGE}
STAGES = ("total", "engine", "search", "picture")

Figures = dict[str, Any]


def seen_names(phrases: Sequence[str]) -> Callable[[str], bool]:
    """Whether a name is one of these, however it is spelt (`schemas.ids.normalised_name`)."""
    names = frozenset(map(normalised_name, phrases))
    return lambda phrase: normalised_name(phrase) in names


def figures_of(
    joined: Joined,
    scorer: PostScorer,
    *,
    seen: Callable[[str], bool] | None = None,
    prices: Prices | None = None,
    resamples: int = bootstrap.RESAMPLES,
) -> Figures:
    """Everything; `seen` tells the names of training, and without it they are not told apart."""
    posts = joined.posts
    figures: Figures = {"posts": _posts(joined)}
    figures |= _whole(posts, scorer, resamples)
    scored = [post.scored for post in posts]
    types = sorted({e.type for s in scored for e in s.gold} | {e.type for s in scored for e in s.predictions})
    figures["by_type"] = {name: _scores(posts, scorer, Part(type=name), ("gmner", "mner")) for name in types}
    if seen is not None:
        parts = {"seen": Part(names=seen), "unseen": Part(names=lambda phrase: not seen(phrase))}
        figures["by_seen"] = {name: _scores(posts, scorer, part) for name, part in parts.items()}
    figures["by_outcome"] = _by_posts(posts, scorer, _endings)
    figures["by_search"] = _by_posts(posts, scorer, _whether_searched)
    figures["search"] = _search(posts)
    figures["cost"] = _cost(posts, prices)
    figures["latency_ms"] = _latency(posts)
    return figures


def counts_of(posts: Sequence[JoinedPost], scorer: PostScorer) -> list[Scores]:
    """The counts of each post."""
    return [scorer(post.scored) for post in posts]


def _posts(joined: Joined) -> Figures:
    recognised = sum(post.found is not None for post in joined.posts)
    missing = len(joined.missing)
    return {
        "gold": recognised + missing,
        "recognised": recognised,
        "missing": missing,
        "scored": len(joined.posts),
        "gold_boxes": sum(len(entity.boxes) for post in joined.posts for entity in post.gold.entities),
        "extra": len(joined.extra),
        "repeated": joined.repeated,
        "spans_misread": joined.misread,
        "unknown_types": dict(joined.unknown_types.most_common()),
    }


def _whole(posts: Sequence[JoinedPost], scorer: PostScorer, resamples: int) -> Figures:
    scores = counts_of(posts, scorer)
    total = Scores.total(scores)
    figures: Figures = {}
    for task in TASKS:
        figures[task] = _numbers(getattr(total, task))
        if posts and resamples:
            sure = bootstrap.f1_interval([getattr(each, task) for each in scores], resamples=resamples)
            figures[task]["f1_95"] = [round(sure.low, DIGITS), round(sure.high, DIGITS)]
    return figures


def _scores(
    posts: Sequence[JoinedPost], scorer: PostScorer, part: Part = WHOLE, tasks: Sequence[str] = TASKS
) -> Figures:
    total = Scores.total(scorer(post.scored, part=part) for post in posts)
    return {task: _numbers(getattr(total, task)) for task in tasks}


def _numbers(counts: Counts) -> Figures:
    return {
        "precision": counts.precision,
        "recall": counts.recall,
        "f1": counts.f1,
        "right": counts.right,
        "predicted": counts.predicted,
        "gold": counts.gold,
    }


def _by_posts(
    posts: Sequence[JoinedPost], scorer: PostScorer, groups: Callable[[JoinedPost], Sequence[str]]
) -> Figures:
    found: dict[str, list[JoinedPost]] = {}
    for post in posts:
        for name in groups(post):
            found.setdefault(name, []).append(post)
    return {name: {"posts": len(mine), **_scores(mine, scorer)} for name, mine in sorted(found.items())}


def _endings(post: JoinedPost) -> Sequence[str]:
    if post.found is None:
        return ("missing",)
    outcome = post.found.outcome
    if outcome is None:
        return ()
    return (outcome.status, *(f"degraded: {reason.value}" for reason in outcome.reasons))


def _whether_searched(post: JoinedPost) -> Sequence[str]:
    queries = queries_of(post)
    return () if queries is None else ("with search" if queries else "without search",)


def queries_of(post: JoinedPost) -> Counter[str] | None:
    """How many queries each tool got; None where the rounds are not told."""
    if post.found is None or post.found.rounds is None:
        return None
    queries: Counter[str] = Counter()
    for each in post.found.rounds:
        if each.action in SEARCHES:
            queries[SEARCHES[each.action].value] += len(each.queries)
    return +queries


def _search(posts: Sequence[JoinedPost]) -> Figures:
    told = [queries for post in posts if (queries := queries_of(post)) is not None]
    if not told:
        return {}
    total = sum(told, Counter[str]())
    results = sum(each.results for post in posts if post.found for each in post.found.rounds or ())
    return {
        "posts": len(told),
        "rate": sum(map(bool, told)) / len(told),
        "queries": {tool.value: total[tool.value] for tool in Tool},
        "queries_a_post": total.total() / len(told),
        "results": results,
    }


def _cost(posts: Sequence[JoinedPost], prices: Prices | None) -> Figures:
    rounds = [post.found.rounds for post in posts if post.found and post.found.rounds is not None]
    if not rounds:
        return {}
    turns = [each for mine in rounds for each in mine]
    amounts = {
        "prompt_tokens": sum(each.prompt_tokens for each in turns),
        "output_tokens": sum(each.output_tokens for each in turns),
        "text_search": sum(len(each.queries) for each in turns if each.action is RoundAction.TEXT_SEARCH),
        "image_search": sum(len(each.queries) for each in turns if each.action is RoundAction.IMAGE_SEARCH),
    }
    figures: Figures = {
        "posts": len(rounds),
        "rounds": len(turns),
        "prompt_tokens": amounts["prompt_tokens"],
        "output_tokens": amounts["output_tokens"],
        "tokens_a_post": (amounts["prompt_tokens"] + amounts["output_tokens"]) / len(rounds),
    }
    if prices is not None:
        price = prices.of(amounts)
        figures |= {
            "price": price,
            "price_a_post": price / len(rounds),
            "currency": prices.currency,
        }
    return figures


def _latency(posts: Sequence[JoinedPost]) -> Figures:
    timings = [post.found.timings for post in posts if post.found and post.found.timings is not None]
    if not timings:
        return {}
    return {stage: _spread([getattr(each, f"{stage}_ms") for each in timings]) for stage in STAGES}


def _spread(values: list[float]) -> Figures:
    """Percentiles by the nearest rank: each is a value that was really measured."""
    values.sort()
    ranks = {f"p{each}": values[max(0, -(-len(values) * each // 100) - 1)] for each in PERCENTILES}
    return {"posts": len(values), "mean": sum(values) / len(values), **ranks, "max": values[-1]}
