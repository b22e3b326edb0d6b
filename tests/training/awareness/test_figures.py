"""The figures of a run, worked out by hand on records that were written by hand."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.entities import Tool
from schemas.errors import OperatorError
from training.awareness.compare import comparison
from training.awareness.counting import Aspect, Ledger, Task
from training.awareness.figures import figures_of
from training.awareness.policies import Policy
from training.awareness.records import Answered, Found, Gold, Query, Weighed
from training.awareness.table import compared, told

DRAWS = 50
TEXT = "Kordal in Oslo"
KORDAL = Gold(start=0, end=6, type="ORG", groups=("unseen",))
OSLO = Gold(start=10, end=14, type="LOC", groups=("seen",))
BOX, ELSEWHERE = (0.0, 0.0, 10.0, 10.0), (50.0, 50.0, 60.0, 60.0)
ASKED = (Query(Tool.TEXT, "Kordal"),)
BOTH = (*ASKED, Query(Tool.TEXT, "Oslo"))


def said(kordal: str | None, oslo: str | None = "LOC", *, queries=(), box=None) -> Answered:
    """An answer with these types; None = not named."""
    found = []
    if kordal:
        found.append(Found(start=0, end=6, type=kordal, box_px=box))
    if oslo:
        found.append(Found(start=10, end=14, type=oslo))
    return Answered(found=tuple(found), queries=queries)


def record(post_id: str, never: Answered, adaptive: Answered, always: Answered, **fields) -> Weighed:
    answers = {"never": never, "adaptive": adaptive, "always": always, **fields.pop("answers", {})}
    given = {"text": TEXT, "entities": (KORDAL, OSLO), "samples": ((), ()), **fields}
    return Weighed(id=post_id, answers=answers, **given)


NEEDY = record(
    "needy", said("PER"), said("ORG", queries=ASKED), said("ORG", queries=BOTH), samples=(ASKED, ASKED)
)
"""Wrong without a search; the model searches it, and is right."""
SURE = record("sure", said("ORG"), said("ORG"), said("ORG", queries=BOTH), samples=((), ASKED))
"""Right without a search."""
MISLED = record("misled", said("ORG"), said("ORG"), said("PER", queries=BOTH), groups=("misleading",))
"""Right without a search; a search leads astray."""
RUN = [NEEDY, SURE, MISLED]


def test_each_policy_has_its_scores_and_its_searches():
    figures = figures_of(RUN, DRAWS)
    policies = figures["policies"]
    assert [policies[name]["mner"]["right_predicted_gold"] for name in policies] == [
        [5, 6, 6],
        [6, 6, 6],
        [5, 6, 6],
    ]
    assert policies["adaptive"]["mner"]["f1"] == [1.0, 1.0, 1.0]
    assert policies["never"]["mner"]["recall"][0] == pytest.approx(5 / 6, abs=1e-4)
    assert policies["adaptive"]["queries_a_post"][0] == pytest.approx(1 / 3, abs=1e-4)
    assert policies["always"]["posts_searched"] == [1.0, 1.0, 1.0]


def test_precision_and_recall_differ_where_something_is_not_named():
    figures = figures_of([record("1", said(None), said(None), said(None))], DRAWS)
    found = figures["policies"]["never"]["mner"]
    assert (found["precision"][0], found["recall"][0]) == (1.0, 0.5)


def test_the_share_of_searches_is_ours_over_theirs():
    share = figures_of(RUN, DRAWS)["search"]["adaptive_over_always"]
    assert share["queries"][0] == pytest.approx(1 / 6, abs=1e-4)
    assert share["rounds"][0] == pytest.approx(1 / 3, abs=1e-4)


def test_differences_are_paired():
    """The same mistake on both sides cancels: its interval has no width."""
    figures = figures_of([renamed(SURE, str(i)) for i in range(9)] + [NEEDY], DRAWS)
    ours = figures["differences"]["adaptive - never"]["mner"]
    assert ours[0] == pytest.approx(1 - 19 / 20, abs=1e-4)
    same = figures_of([record(str(i), said("PER"), said("PER"), said("ORG")) for i in range(9)], DRAWS)
    assert same["differences"]["adaptive - never"]["mner"] == [0.0, 0.0, 0.0]
    assert same["differences"]["adaptive - always"]["mner"][2] < 0


def renamed(post: Weighed, post_id: str) -> Weighed:
    return msgspec.structs.replace(post, id=post_id)


def test_search_is_precise_when_it_is_about_what_is_wrong_and_recalls_when_it_is_about_all_of_it():
    wasteful = record(
        "w", said("PER", "PER"), said("ORG", queries=(*ASKED, Query(Tool.TEXT, "Bergen"))), said("ORG")
    )
    found = figures_of([wasteful], DRAWS)["search"]["text"]
    assert (found["queries_needed_all"], found["entities_searched_wrong"]) == ([1, 2], [1, 2])
    nothing = figures_of([SURE], DRAWS)["search"]["text"]
    assert (nothing["precision"], nothing["recall"]) == (None, None)


def test_the_decision_of_a_post_is_the_share_of_its_first_turns_that_search():
    ledger = Ledger(RUN)
    judged = {post.id: ledger.judged_post(post, Aspect.TEXT) for post in RUN}
    assert judged == {"needy": (1.0, True), "sure": (0.5, False), "misled": (0.0, False)}
    greedy = {post.id: ledger.judged_post(post, Aspect.TEXT, greedy=True).score for post in RUN}
    assert greedy == {"needy": 1.0, "sure": 0.0, "misled": 0.0}


def test_the_decision_about_an_entity_counts_the_queries_about_it():
    ledger = Ledger(RUN)
    assert list(ledger.judged_entities(NEEDY, Aspect.TEXT)) == [(1.0, True), (0.0, False)]
    assert list(ledger.judged_entities(SURE, Aspect.TEXT)) == [(0.5, False), (0.0, False)]


def test_a_perfect_decision_has_auroc_one_and_the_least_area():
    found = figures_of(RUN, DRAWS)["decision"]["text"]["post"]
    assert (found["things"], found["wrong"], found["auroc"][0]) == (3, 1, 1.0)
    assert found["aurc"][0] == found["best_aurc"] == pytest.approx(1 / 9, abs=1e-4)
    assert found["coverage_and_risk"] == [[0.3333, 0.0], [0.6667, 0.0], [1.0, 0.3333]]
    assert found["greedy"] == {
        "auroc": [1.0, 1.0, 1.0],
        "true_positive_rate": 1.0,
        "false_positive_rate": 0.0,
        "coverage": 0.6667,
        "risk": 0.0,
    }


def test_who_never_searches_has_auroc_a_half_and_adaptive_equal_to_never():
    blank = [
        record(str(i), said("PER" if i % 2 else "ORG"), said("PER" if i % 2 else "ORG"), said("ORG"))
        for i in range(8)
    ]
    figures = figures_of(blank, DRAWS)
    assert figures["decision"]["text"]["post"]["auroc"] == [0.5, 0.5, 0.5]
    assert figures["differences"]["adaptive - never"]["mner"] == [0.0, 0.0, 0.0]
    assert figures["policies"]["adaptive"]["queries_a_post"] == [0.0, 0.0, 0.0]


def test_where_nothing_is_wrong_there_is_no_auroc():
    found = figures_of([SURE, MISLED], DRAWS)["decision"]["text"]["post"]
    assert (found["auroc"], found["wrong"], found["error_rate"]) == (None, 0, 0.0)


def test_a_post_that_names_too_much_is_wrong():
    spurious = Found(start=7, end=9, type="LOC")
    too_much = Answered(found=(*said("ORG").found, spurious))
    ledger = Ledger([post := record("1", too_much, said("ORG"), said("ORG"))])
    assert ledger.judged_post(post, Aspect.TEXT).wrong
    assert [each.wrong for each in ledger.judged_entities(post, Aspect.TEXT)] == [False, False]


def test_groups_split_posts_and_entities():
    groups = figures_of(RUN, DRAWS)["groups"]
    assert {name: (each["posts"], each["entities"]) for name, each in groups.items()} == {
        "unseen": (3, 3),
        "seen": (3, 3),
        "misleading": (1, 2),
    }
    assert groups["unseen"]["policies"]["never"]["mner"][0] == pytest.approx(2 / 3, abs=1e-4)
    assert groups["seen"]["policies"]["never"]["mner"] == [1.0, 1.0, 1.0]
    assert groups["misleading"]["differences"]["adaptive - always"]["mner"][0] == 0.5


def test_a_prediction_belongs_to_the_entity_that_it_overlaps_and_else_to_every_group():
    longer, spurious = Found(start=0, end=9, type="ORG"), Found(start=7, end=9, type="LOC")
    ledger = Ledger(
        [post := record("1", Answered(found=(longer,)), Answered(found=(spurious,)), said("ORG"))]
    )
    counts = {
        (policy, group): ledger.counts([post], policy, Task.MNER, group)[0].predicted
        for policy in (Policy.NEVER, Policy.ADAPTIVE)
        for group in ("seen", "unseen")
    }
    assert counts == {
        (Policy.NEVER, "unseen"): 1,
        (Policy.NEVER, "seen"): 0,
        (Policy.ADAPTIVE, "unseen"): 1,
        (Policy.ADAPTIVE, "seen"): 1,
    }


def with_pictures() -> list[Weighed]:
    """A picture search finds the place that is not known without."""
    kordal = Gold(start=0, end=6, type="ORG", boxes=(BOX,), groups=("unseen", "unseen ORG"))
    image = (Query(Tool.IMAGE, "Kordal"),)
    right, lost = said("ORG", box=BOX, queries=image), said("ORG", box=ELSEWHERE)
    answers = {
        "adaptive_without_images": lost,
        "always_without_images": said("ORG", box=ELSEWHERE, queries=ASKED),
        "always_images": right,
    }
    one = record(
        "1", lost, right, right, picture=True, entities=(kordal, OSLO), answers=answers, samples=(image, ())
    )
    return [renamed(one, str(i)) for i in range(4)] + [SURE]


def test_pictures_have_all_three_scores_and_figures_of_image_search():
    figures = figures_of(with_pictures(), DRAWS)
    differences = figures["differences"]
    assert differences["adaptive - adaptive_without_images"]["eeg"] == [0.5, 0.5, 0.5]
    assert differences["always_images - never"]["mner"] == [0.0, 0.0, 0.0]
    assert figures["groups"]["unseen ORG"]["differences"]["always - always_without_images"]["eeg"] == [
        1.0,
        1.0,
        1.0,
    ]
    assert figures["policies"]["always_images"]["posts"] == 4
    assert figures["policies"]["never"]["posts"] == 5
    assert figures["search"]["image"]["entities_searched_wrong"] == [4, 4]
    image = figures["decision"]["image"]
    assert (image["post"]["things"], image["post"]["wrong"]) == (4, 4)
    assert image["entity"]["auroc"] == [1.0, 1.0, 1.0]


def test_a_post_without_a_picture_counts_for_names_and_types_alone():
    """It says no boxes, gold has none: GMNER would give it away."""
    posts = [*with_pictures()[:-1], msgspec.structs.replace(SURE, groups=("text only",))]
    figures = figures_of(posts, DRAWS)
    never = figures["policies"]["never"]
    assert never["mner"]["right_predicted_gold"] == [10, 10, 10]
    assert never["gmner"]["right_predicted_gold"] == never["eeg"]["right_predicted_gold"] == [4, 8, 8]
    assert never["posts"] == 5
    assert figures["differences"]["always - never"]["gmner"] == [0.5, 0.5, 0.5]
    alone = figures["groups"]["text only"]
    assert (alone["posts"], alone["entities"]) == (1, 2)
    assert alone["policies"]["never"] == {"gmner": None, "mner": [1.0, 1.0, 1.0], "eeg": None}
    assert "text only" in told(figures)


def test_two_runs_are_compared_by_places_where_there_are_pictures():
    posts = [*with_pictures()[:-1], msgspec.structs.replace(SURE, groups=("text only",))]
    found = comparison(posts, posts, DRAWS)
    assert found["policies"]["never"]["gmner"] == [0.0, 0.0, 0.0]
    assert found["groups"]["text only"]["never"]["gmner"] is None
    assert "text only" in compared(found)
    blind = [msgspec.structs.replace(post, picture=False) for post in posts]
    with pytest.raises(OperatorError, match="not the same in both"):
        comparison(posts, blind, DRAWS)


def test_fine_types_count_where_gold_has_them():
    gold = Gold(start=0, end=6, type="PER", fine_type="athlete")
    coarse = Answered(found=(Found(start=0, end=6, type="PER", fine_type="actor"),))
    fine = record("1", coarse, coarse, coarse, entities=(gold,))
    plain = record("1", coarse, coarse, coarse, entities=(Gold(start=0, end=6, type="PER"),))
    assert figures_of([fine], DRAWS)["policies"]["never"]["mner"]["f1"][0] == 0.0
    assert figures_of([plain], DRAWS)["policies"]["never"]["mner"]["f1"][0] == 1.0


def test_refused_posts_are_counted_and_in_no_figure():
    figures = figures_of([*RUN, Weighed(id="x", text="x", refused="no", entities=(KORDAL,))], DRAWS)
    assert (figures["posts"], figures["refused"]) == (3, 1)


def test_a_run_of_refusals_has_no_figures():
    figures = figures_of([Weighed(id="x", text="x", refused="no")], DRAWS)
    assert figures["policies"] == figures["decision"] == {}
    assert told(figures)


def test_two_runs_are_compared_on_the_posts_of_both():
    worse = [
        record(post.id, said("PER"), said("PER", queries=BOTH), said("PER"), groups=post.groups)
        for post in RUN
    ]
    found = comparison([*RUN, renamed(SURE, "alone")], worse, DRAWS)
    assert found["posts"] == 3
    adaptive = found["policies"]["adaptive"]
    assert adaptive["mner"] == [0.5, 0.5, 0.5]
    assert adaptive["queries_a_post"][0] == pytest.approx(1 / 3 - 2, abs=1e-4)
    assert adaptive["rounds_a_post"][0] == pytest.approx(1 / 3 - 1, abs=1e-4)
    assert found["groups"]["unseen"]["adaptive"]["mner"][0] == 1.0
    assert "unseen" in compared(found)


def test_a_run_compared_with_itself_differs_in_nothing():
    found = comparison(RUN, list(reversed(RUN)), DRAWS)["policies"]
    assert {tuple(each[name]) for each in found.values() for name in each} == {(0.0, 0.0, 0.0)}


def test_runs_on_other_posts_cannot_be_compared():
    with pytest.raises(OperatorError, match="no post was answered in both"):
        comparison([NEEDY], [SURE], DRAWS)
    other = msgspec.structs.replace(NEEDY, entities=(OSLO,))
    with pytest.raises(OperatorError, match="needy is not the same"):
        comparison([NEEDY], [other], DRAWS)


@given(st.lists(st.sampled_from(RUN), min_size=1, max_size=8))
def test_any_run_has_figures_that_are_json_and_can_be_told(drawn):
    figures = figures_of([renamed(post, str(i)) for i, post in enumerate(drawn)], 3)
    assert json.loads(json.dumps(figures)) == figures
    page = told(figures)
    assert "adaptive - always" in page
    assert f"{len(drawn)} posts" in page
