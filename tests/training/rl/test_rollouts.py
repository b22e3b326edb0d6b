"""Many dialogues at once, and what each of them came to."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.model

from support.fake_search import FakeSearch
from support.rl import GOLD, SETUP, Scripted, answer, look, seen_start, tiny_policy
from support.secot import CASE, search_of

from sake_model.corpora.labelled import LabelledPost
from sake_model.dialogue import DialogueLimits
from schemas.entities import Tool
from training.rl.rewards import Outcome
from training.rl.rollouts import Leading, Start, lead_all, outcome_of

LIMITS = DialogueLimits()


@pytest.fixture(scope="module")
def policy():
    return tiny_policy()


async def led(policy, *turns: str, start: Start | None = None, search=None, mixed: bool = False) -> Outcome:
    """What a dialogue of these turns comes to."""
    sampler = Scripted(policy, lambda request: turns[int(request.seed.rpartition("/")[2])])
    leading = Leading(search or search_of(), SETUP, LIMITS)
    (rollout,) = await lead_all([start or seen_start()], sampler, leading)
    return outcome_of(rollout, SETUP, mixed=mixed)


async def test_searches_of_all_dialogues_run_at_the_same_time(policy):
    def script(request):
        first = request.seed.endswith("/0")
        return look("text_search", f"who is {request.seed[0]}") if first else answer(*GOLD)

    search = FakeSearch(delay_s=0.3)
    starts = [Start(CASE.post.text_only, None, str(i)) for i in range(4)]
    began_s = time.monotonic()
    leading = Leading(search, SETUP, LIMITS)
    dialogues = [each.dialogue for each in await lead_all(starts, Scripted(policy, script), leading)]
    assert search.most_at_once == 4
    assert [len(dialogue.observations) for dialogue in dialogues] == [1] * 4
    # Twelve hundred milliseconds one after the other. What the tiny model computes is taken off.
    searching = Leading(FakeSearch(), SETUP, LIMITS)
    middle_s = time.monotonic()
    await lead_all(starts, Scripted(policy, script), searching)
    assert (middle_s - began_s) - (time.monotonic() - middle_s) < 0.6


async def test_the_right_answer_is_right_and_its_searches_are_counted(policy):
    assert await led(policy, answer(*GOLD)) == Outcome(1.0, True)
    searched = (look("text_search", "Kordal", "Ana"), look("image_search", "Kordal"), answer(*GOLD))
    assert await led(policy, *searched) == Outcome(1.0, True, searches=3)


async def test_a_wrong_type_a_wrong_box_and_a_missing_name_cost_f1(policy):
    (name, kind, box), *others = GOLD
    assert (await led(policy, answer((name, "PER", box), *others))).f1 == pytest.approx(2 / 3)
    assert (await led(policy, answer((name, kind, [0, 0, 9, 9]), *others))).f1 == pytest.approx(2 / 3)
    assert (await led(policy, answer(*others))).f1 == pytest.approx(2 * 2 / 5)


async def test_guessing_names_that_are_not_in_the_post_is_not_free(policy):
    guess = ("Bergen", "LOC", [])
    assert (await led(policy, answer(*GOLD, guess))).f1 == pytest.approx(2 * 3 / 7)


async def test_mixed_f1_gives_part_of_it_for_the_type_without_the_place(policy):
    (name, kind, _), *others = GOLD
    placeless = answer((name, kind, []), *others)
    assert (await led(policy, placeless)).f1 == pytest.approx(2 / 3)
    mixed = await led(policy, placeless, mixed=True)
    assert mixed.f1 == pytest.approx(0.25 * 1 + 0.25 * 2 / 3 + 0.5 * 2 / 3)


async def test_to_find_nothing_where_there_is_nothing_is_right(policy):
    start = Start(LabelledPost("e", "good morning", ()), None, "s")
    assert await led(policy, answer(), start=start) == Outcome(1.0, True)
    assert (await led(policy, answer(("good", "PER", [])), start=start)).f1 == 0


async def test_form_is_strict_and_a_dialogue_without_an_answer_is_worth_nothing(policy):
    assert await led(policy, "no idea", "no idea") == Outcome(0.0, False)
    untidy = answer(*GOLD).replace("<answer>", "< Answer >")
    assert await led(policy, untidy) == Outcome(1.0, False)


async def test_a_refused_and_a_repeated_search_are_no_good_form(policy):
    twice = (look("image_search", "Kordal"), look("image_search", "Kordal"), answer(*GOLD))
    assert await led(policy, *twice) == Outcome(1.0, False, searches=1)
    asked = (look("text_search", "Ana", "Ana"), answer(*GOLD))
    found = await led(policy, *asked)
    assert (found.searches, found.repeated, found.well_formed) == (1, 1, False)


async def test_search_that_is_down_and_tags_in_posts_are_not_held_against_the_model(policy):
    down = search_of(down=frozenset(Tool))
    assert await led(policy, look("text_search", "Ana"), answer(*GOLD), search=down) == Outcome(1.0, True, 1)
    post = replace(CASE.post, text=f"{CASE.post.text} </answer>")
    start = replace(seen_start(), post=post)
    assert await led(policy, answer(*GOLD), start=start) == Outcome(1.0, True)


async def test_a_closed_dialogue_is_only_asked_for_its_answer(policy):
    start = replace(seen_start(), closed=True)
    assert await led(policy, answer(*GOLD), start=start) == Outcome(1.0, True, closed=True)
    refused = await led(policy, look("text_search", "Ana"), answer(*GOLD), start=start)
    assert refused == Outcome(1.0, False, searches=0, closed=True)
