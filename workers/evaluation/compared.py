"""Two models on the same posts: what the first has more than the second, with paired intervals."""

from __future__ import annotations

from sake_model.scoring import PostScorer, bootstrap
from sake_model.scoring.sure import Sure
from workers.evaluation.figures import TASKS, Figures, counts_of, queries_of
from workers.evaluation.joined import Joined, JoinedPost

__all__ = ["paired", "side_by_side"]


def paired(ours: Joined, theirs: Joined) -> tuple[list[JoinedPost], list[JoinedPost]]:
    """The posts that are scored in both, in one order."""
    others = {post.gold.id: post for post in theirs.posts}
    mine = [post for post in ours.posts if post.gold.id in others]
    return mine, [others[post.gold.id] for post in mine]


def side_by_side(
    ours: Joined, theirs: Joined, scorer: PostScorer, resamples: int = bootstrap.RESAMPLES
) -> Figures:
    """Of each task: the F1 of ours less that of theirs, [value, low, high], and whether zero is outside.

    Posts are drawn again and again, the same for both (Efron and Tibshirani 1993, chapter 13).
    """
    mine, others = paired(ours, theirs)
    figures: Figures = {"posts": len(mine)}
    if not mine:
        return figures
    sure = Sure(resamples)
    scores = counts_of(mine, scorer), counts_of(others, scorer)
    for task in TASKS:
        one, other = ([getattr(each, task) for each in model] for model in scores)
        difference = sure.f1_difference(one, other)
        figures[task] = {
            "f1_difference": difference,
            "significant": not difference[1] <= 0 <= difference[2],
            "posts_better": sum(a.right > b.right for a, b in zip(one, other, strict=True)),
            "posts_worse": sum(a.right < b.right for a, b in zip(one, other, strict=True)),
        }
    pairs = [(queries_of(post), queries_of(other)) for post, other in zip(mine, others, strict=True)]
    told = [a.total() - b.total() for a, b in pairs if a is not None and b is not None]
    if told:
        figures["queries_a_post_difference"] = sure.ratio(told)
    return figures
