"""The figures of a run, each with its 95 % interval [value, low, high] from draws of whole posts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from itertools import chain
from typing import Any

from sake_model.scoring import Counts, bootstrap
from sake_model.scoring.sure import DIGITS, Sure
from schemas.entities import Tool
from training.awareness.counting import Aspect, Ledger, Task
from training.awareness.curves import Judged, aurc, auroc, decision, risk_coverage
from training.awareness.policies import Policy
from training.awareness.records import Weighed

__all__ = ["PAIRS", "figures_of", "tasks_of"]

PAIRS = (
    (Policy.ADAPTIVE, Policy.NEVER),
    (Policy.ADAPTIVE, Policy.ALWAYS),
    (Policy.ALWAYS, Policy.NEVER),
    (Policy.ADAPTIVE, Policy.ADAPTIVE_WITHOUT_IMAGES),
    (Policy.ALWAYS, Policy.ALWAYS_WITHOUT_IMAGES),
    (Policy.ALWAYS_IMAGES, Policy.NEVER),
)
"""Ours less theirs."""
Figures = dict[str, Any]


def figures_of(records: Sequence[Weighed], resamples: int = bootstrap.RESAMPLES) -> Figures:
    """All figures of a run's records, for a file."""
    ledger, sure = Ledger(records), Sure(resamples)
    policies = [policy for policy in Policy if ledger.under(policy)]
    tasks = tasks_of(ledger.posts)
    figures: Figures = {
        "posts": len(ledger.posts),
        "refused": len(records) - len(ledger.posts),
        "with_picture": sum(post.picture for post in ledger.posts),
        "samples": max((len(post.samples) for post in ledger.posts), default=0),
        "policies": {policy.value: _policy(ledger, sure, policy, tasks) for policy in policies},
        "differences": _differences(ledger, sure, tasks, None),
        "search": _search(ledger, sure) if ledger.posts else {},
        "groups": {name: _group(ledger, sure, policies, tasks, name) for name in ledger.groups()},
    }
    return figures | {"decision": _decisions(ledger, sure)}


def tasks_of(posts: Sequence[Weighed]) -> tuple[Task, ...]:
    """Those that any post counts for: without pictures nothing has a place."""
    return tuple(Task) if any(post.picture for post in posts) else (Task.MNER,)


def _policy(ledger: Ledger, sure: Sure, policy: Policy, tasks: Sequence[Task]) -> Figures:
    posts = ledger.under(policy)
    answers = [post.answers[policy] for post in posts]
    figures: Figures = {"posts": len(posts)}
    for task in tasks:
        counts = ledger.counts(posts, policy, task)
        right = [each.right for each in counts]
        total = sum(counts, Counts())
        figures[task.value] = {
            "f1": sure.f1(counts) if counts else None,
            "precision": sure.ratio(right, [each.predicted for each in counts]),
            "recall": sure.ratio(right, [each.gold for each in counts]),
            "right_predicted_gold": [total.right, total.predicted, total.gold],
        }
    return figures | {
        "queries_a_post": sure.ratio([len(each.queries) for each in answers]),
        "rounds_a_post": sure.ratio([each.rounds for each in answers]),
        "posts_searched": sure.ratio([bool(each.queries) for each in answers]),
        "queries": {tool.value: sum(len(each.asked(tool)) for each in answers) for tool in Tool},
        "output_tokens_a_post": round(sum(each.output_tokens for each in answers) / len(posts), 1),
        "degraded": dict(Counter(chain.from_iterable(each.reasons for each in answers))),
    }


def _differences(ledger: Ledger, sure: Sure, tasks: Sequence[Task], group: str | None) -> Figures:
    figures: Figures = {}
    for ours, theirs in PAIRS:
        posts = ledger.under(ours, theirs)
        pairs = {
            task.value: (
                ledger.counts(posts, ours, task, group),
                ledger.counts(posts, theirs, task, group),
            )
            for task in tasks
        }
        if any(mine for mine, _ in pairs.values()):
            name = f"{ours.value} - {theirs.value}"
            figures[name] = {
                task: sure.f1_difference(*both) if both[0] else None for task, both in pairs.items()
            }
    return figures


def _group(
    ledger: Ledger, sure: Sure, policies: Sequence[Policy], tasks: Sequence[Task], group: str
) -> Figures:
    figures: Figures = {}
    for policy in policies:
        by_task = {task: ledger.counts(ledger.under(policy), policy, task, group) for task in tasks}
        if any(by_task.values()):
            figures[policy.value] = {
                task.value: sure.f1(counts) if counts else None for task, counts in by_task.items()
            }
    gold = ledger.counts(ledger.posts, Policy.NEVER, Task.MNER, group)
    return {
        "posts": len(gold),
        "entities": sum(each.gold for each in gold),
        "policies": figures,
        "differences": _differences(ledger, sure, tasks, group),
    }


def _search(ledger: Ledger, sure: Sure) -> Figures:
    """How much is searched, against always; and whether it is what is wrong without."""
    answers = [post.answers for post in ledger.posts]
    ours, theirs = ([each[policy] for each in answers] for policy in (Policy.ADAPTIVE, Policy.ALWAYS))
    figures: Figures = {
        "adaptive_over_always": {
            "queries": sure.ratio(
                [len(each.queries) for each in ours], [len(each.queries) for each in theirs]
            ),
            "rounds": sure.ratio([each.rounds for each in ours], [each.rounds for each in theirs]),
        }
    }
    for aspect in Aspect:
        tallies = [ledger.tally(post, aspect) for post in _concerned(ledger, aspect)]
        figures[aspect.value] = {
            "queries_needed_all": [sum(t.needed for t in tallies), sum(t.queries for t in tallies)],
            "entities_searched_wrong": [sum(t.searched for t in tallies), sum(t.wrong for t in tallies)],
            "precision": sure.ratio([t.needed for t in tallies], [t.queries for t in tallies]),
            "recall": sure.ratio([t.searched for t in tallies], [t.wrong for t in tallies]),
        }
    return figures


def _concerned(ledger: Ledger, aspect: Aspect) -> tuple[Weighed, ...]:
    """The posts where the aspect's search is possible."""
    return ledger.posts if aspect is Aspect.TEXT else ledger.under(Policy.ALWAYS_IMAGES)


def _decisions(ledger: Ledger, sure: Sure) -> Figures:
    """The decision to search as a predictor of what is wrong without a search."""
    figures: Figures = {}
    for aspect in Aspect:
        posts = [post for post in _concerned(ledger, aspect) if post.samples]
        if not posts:
            continue
        whole = [
            [[ledger.judged_post(post, aspect, greedy=greedy)] for post in posts] for greedy in (False, True)
        ]
        parts = [
            [list(ledger.judged_entities(post, aspect, greedy=greedy)) for post in posts]
            for greedy in (False, True)
        ]
        levels = {"post": _decision(sure, *whole), "entity": _decision(sure, *parts)}
        figures[aspect.value] = {name: found for name, found in levels.items() if found}
    return figures


def _decision(sure: Sure, sampled: list[list[Judged]], served: list[list[Judged]]) -> Figures:
    """`sampled`, `served`: of every post, what was judged in it."""
    things, decided = list(chain.from_iterable(sampled)), list(chain.from_iterable(served))
    if not things:
        return {}
    curve = risk_coverage(things)
    hits, false_alarms = decision(decided)
    answered = [each.wrong for each in decided if not each.score]
    return {
        "things": len(things),
        "wrong": sum(each.wrong for each in things),
        "auroc": sure.of(len(sampled), partial(_auroc, sampled)),
        "aurc": sure.of(len(sampled), lambda draw: _aurc(sampled, draw)),
        "best_aurc": round(curve.best_aurc, DIGITS),
        "error_rate": round(sum(each.wrong for each in things) / len(things), DIGITS),
        "coverage_and_risk": [[round(c, DIGITS), round(r, DIGITS)] for c, r in curve.points],
        "greedy": {
            "auroc": sure.of(len(served), partial(_auroc, served)),
            "true_positive_rate": round(hits, DIGITS),
            "false_positive_rate": round(false_alarms, DIGITS),
            "coverage": round(len(answered) / len(decided), DIGITS),
            "risk": round(sum(answered) / len(answered), DIGITS) if answered else None,
        },
    }


def _auroc(posts: Sequence[Sequence[Judged]], draw: Sequence[int]) -> float | None:
    return auroc(chain.from_iterable([posts[index] for index in draw]))


def _aurc(posts: Sequence[Sequence[Judged]], draw: Sequence[int]) -> float | None:
    things = list(chain.from_iterable([posts[index] for index in draw]))
    return aurc(things) if things else None
