"""Precision and recall of brand matching on hand-made cases, given perfect entities."""

from __future__ import annotations

from support.mention_cases import FOLDER, read_cases

from workers.mentions.matching import Matcher
from workers.mentions.watch_list import read_watch_list

LEAST = 0.95


def test_precision_and_recall_on_the_hand_made_cases() -> None:
    matcher = Matcher(read_watch_list((FOLDER / "watch.yaml").read_text(), "watch.yaml"))
    cases = read_cases()
    right = wrong = missed = 0
    errors = []
    for case in cases:
        for entity, wanted in zip(case.entities, case.expected, strict=True):
            found = {match.brand.name for match in matcher.match(entity, case.lang, case.text)}
            expected = {wanted} if wanted else set()
            right += len(found & expected)
            wrong += len(found - expected)
            missed += len(expected - found)
            if found != expected:
                errors.append(f"{case.place} {case.text!r}: {entity.span.exact} is {expected}, found {found}")
    precision, recall = right / (right + wrong), right / (right + missed)
    decisions = sum(len(case.entities) for case in cases)
    report = (
        f"{len(cases)} cases, {decisions} entities, {right + missed} mentions: "
        f"precision {precision:.3f} ({wrong} wrong), recall {recall:.3f} ({missed} missed)"
    )
    print(report, *errors, sep="\n")
    assert len(cases) >= 200
    assert min(precision, recall) >= LEAST, report
