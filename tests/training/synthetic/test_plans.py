"""What posts say and show: names that are words, names of several things. No archive is needed."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

pytest.importorskip("matplotlib")
pytestmark = pytest.mark.model

from support.drawn_marks import FLAG, MARKS, SQUARE

from training.synthetic.ambiguous import SENSES, SHARED_NAMES, WORDS
from training.synthetic.identity import Looks, split_of
from training.synthetic.marks import Brand, Flag, Marks
from training.synthetic.plans import Planner
from training.synthetic.sentences import slots_of

WORD_BRANDS = tuple(Brand(word.capitalize(), "202020", SQUARE) for word in WORDS if split_of(word) == "train")
COUNTRIES = tuple(Flag(name, FLAG) for name in ("Chad", "India", "Peru"))
POSTS = 3000


@pytest.fixture(scope="module")
def plans():
    planner = Planner(Marks((*MARKS.brands, *WORD_BRANDS), COUNTRIES), "train")
    return [planner.plan(Random(f"plan {i}")) for i in range(POSTS)]


def names_of(plan):
    return [plan.text[entity.start : entity.end] for entity in plan.entities]


def says(plan, sentences):
    return any(plan.text.startswith(each) for each in sentences)


def test_a_word_is_no_name_whatever_the_picture_shows(plans):
    own_mark = Counter()
    for plan in plans:
        for word, sentences in WORDS.items():
            if says(plan, sentences):
                assert plan.entities == ()
                own_mark[any(each.name.casefold() == word for each in plan.shown)] += 1
    assert 0.35 < own_mark[True] / own_mark.total() < 0.65


def test_the_brands_of_these_words_are_also_meant_and_sometimes_written_small(plans):
    meant = [
        written
        for plan in plans
        for written, subject in zip(names_of(plan), plan.named, strict=True)
        if subject.type == "ORG" and subject.name.casefold() in WORDS
    ]
    small = sum(written == written.lower() for written in meant)
    assert len(meant) > 100
    assert 0.1 < small / len(meant) < 0.5


def test_words_stand_small_and_at_the_beginning():
    written = [sentence for sentences in WORDS.values() for sentence in sentences]
    assert sum(each[0].isupper() for each in written) > 40
    for word, sentences in WORDS.items():
        assert all(word in sentence.lower().split() for sentence in sentences), word


@pytest.mark.parametrize("kind", SENSES)
def test_a_shared_name_is_what_its_sentence_says(plans, kind):
    found = [plan for plan in plans if plan.named and plan.named[0].name in SHARED_NAMES]
    of_kind = [plan for plan in found if plan.named[0].type == kind]
    assert of_kind
    for plan in of_kind:
        assert kind in SHARED_NAMES[plan.named[0].name]
        assert split_of(plan.named[0].name) == "train"


def test_the_picture_may_show_another_thing_of_the_name(plans):
    towns = SHARED_NAMES.keys() - {country.name for country in COUNTRIES}  # these are also in other posts
    shared = [plan for plan in plans if len(plan.named) == 1 and plan.named[0].name in towns]
    other = [
        plan
        for plan in shared
        if any(each.name == plan.named[0].name and each.type != plan.named[0].type for each in plan.shown)
    ]
    assert 0.3 < len(other) / len(shared) < 0.6
    both = [plan for plan in other if plan.named[0] in plan.shown]
    assert 0.3 < len(both) / len(other) < 0.75, "what is meant is to be seen or not"


def test_a_country_is_shown_by_its_flag_and_a_town_by_its_name(plans):
    looks = {
        subject.name: subject.looks
        for plan in plans
        for subject in plan.named
        if subject.type == "LOC" and subject.name in SHARED_NAMES
    }
    assert looks["Chad"] is Looks.FAMILIAR
    assert looks["Houston"] is Looks.READ


def test_every_sense_has_sentences_of_its_own():
    everything = [template for templates in SENSES.values() for template in templates]
    assert len(set(everything)) == len(everything)
    for kind, templates in SENSES.items():
        assert all(slots_of(template) == (kind,) for template in templates)
    assert {kind for kinds in SHARED_NAMES.values() for kind in kinds} == set(SENSES)


def test_without_such_brands_there_are_ordinary_posts():
    planner = Planner(MARKS, "train")
    assert all(planner.plan(Random(i)).text for i in range(100))
