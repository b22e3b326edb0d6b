"""Two checkpoints on the same posts: what the first has more than the second, policy by policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sake_model.scoring import bootstrap
from sake_model.scoring.sure import Sure
from schemas.errors import OperatorError
from training.awareness.counting import Ledger
from training.awareness.figures import tasks_of
from training.awareness.policies import Policy
from training.awareness.records import Weighed

__all__ = ["comparison"]

SAME = "weigh both on the same posts"

Figures = dict[str, Any]


def comparison(
    first: Sequence[Weighed], second: Sequence[Weighed], resamples: int = bootstrap.RESAMPLES
) -> Figures:
    """Paired differences of F1 and of searches over the posts that both runs answered.

    Raises OperatorError when there are none, or a post is not the same in both.
    """
    pair = _Pair.of(Ledger(first), Ledger(second), Sure(resamples))
    ours, theirs = pair.ours, pair.theirs
    policies = [policy for policy in Policy if ours.under(policy) and theirs.under(policy)]
    groups: Figures = {}
    for group in ours.groups():
        found = {policy.value: pair.f1(policy, group) for policy in policies}
        groups[group] = {policy: each for policy, each in found.items() if each}
    return {
        "posts": len(ours.posts),
        "policies": {policy.value: pair.f1(policy) | pair.searches(policy) for policy in policies},
        "groups": groups,
    }


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two runs with the same posts in one order."""

    ours: Ledger
    theirs: Ledger
    sure: Sure

    @classmethod
    def of(cls, first: Ledger, second: Ledger, sure: Sure) -> _Pair:
        """Of the posts that both hold. Raises OperatorError."""
        theirs = {post.id: post for post in second.posts}
        mine = [post for post in first.posts if post.id in theirs]
        if not mine:
            raise OperatorError(f"no post was answered in both runs: {SAME}")
        for post in mine:
            if _asked(post) != _asked(theirs[post.id]):
                raise OperatorError(f"the post {post.id} is not the same in both runs: {SAME}")
        return cls(Ledger(mine), Ledger([theirs[post.id] for post in mine]), sure)

    def under(self, policy: Policy) -> tuple[list[Weighed], list[Weighed]]:
        """Those that both answered under a policy."""
        pairs = zip(self.ours.posts, self.theirs.posts, strict=True)
        both = [pair for pair in pairs if policy in pair[0].answers and policy in pair[1].answers]
        return [mine for mine, _ in both], [other for _, other in both]

    def f1(self, policy: Policy, group: str | None = None) -> Figures:
        """Ours less theirs of each task; empty where no post has anything of the group."""
        mine, others = self.under(policy)
        counts = {
            task.value: (
                self.ours.counts(mine, policy, task, group),
                self.theirs.counts(others, policy, task, group),
            )
            for task in tasks_of(self.ours.posts)
        }
        if not any(one for one, _ in counts.values()):
            return {}
        return {task: self.sure.f1_difference(*both) if both[0] else None for task, both in counts.items()}

    def searches(self, policy: Policy) -> Figures:
        """Ours less theirs, a post."""
        mine, others = self.under(policy)
        pairs = [
            (one.answers[policy], other.answers[policy]) for one, other in zip(mine, others, strict=True)
        ]
        queries = [len(one.queries) - len(other.queries) for one, other in pairs]
        return {
            "queries_a_post": self.sure.ratio(queries),
            "rounds_a_post": self.sure.ratio([one.rounds - other.rounds for one, other in pairs]),
        }


def _asked(post: Weighed) -> object:
    """What has to be equal in both runs."""
    return post.text, post.picture, post.groups, post.entities
