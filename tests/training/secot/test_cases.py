"""From tags to directives: required is searched, known is not, and what is between is left to RL."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sake_model.corpora.labelled import LabelledEntity, LabelledPost
from sake_model.dialogue import Dialogue
from sake_model.engine.interface import Completion, FinishReason
from sake_model.grounding import BoxFrame, Size
from sake_model.pictures import ModelPicture
from sake_model.prompts import load_prompts
from schemas.entities import Tool
from training.secot.cases import Case, Directive, directives_of, due, gold_mentions
from training.tags.bands import Thresholds
from training.tags.records import EntityTags, PostTags

PICTURE = ModelPicture(b"", "image/jpeg", "00", original=Size(400, 200), resized=Size(200, 100))


def tagged(*hits: tuple[int, int], picture: str = "p.jpg", samples: int = 6) -> PostTags:
    entities = tuple(
        EntityTags(start=0, end=1, phrase="A", type="PER", hit_text=text, hit_image=image)
        for text, image in hits
    )
    return PostTags(id="1", text="A", picture=picture, entities=entities, samples=samples)


def test_what_was_never_right_is_searched_and_what_always_was_is_not():
    assert directives_of(tagged((0, 6), (6, 0), (0, 0), (6, 6))) == (
        Directive(text=True),
        Directive(image=True),
        Directive(text=True, image=True),
        Directive(),
    )


def test_a_post_with_one_ambiguous_entity_is_left_to_rl():
    assert directives_of(tagged((6, 6), (3, 6))) is None
    assert directives_of(tagged((6, 6), (6, 3))) is None


def test_without_a_picture_only_text_is_searched():
    assert directives_of(tagged((0, 0), (6, 3), picture="")) == (Directive(text=True), Directive())


def test_other_thresholds_leave_less_to_rl():
    assert directives_of(tagged((1, 5)), Thresholds(0.2, 0.8)) == (Directive(text=True),)


def test_a_post_that_was_refused_has_no_directives():
    assert directives_of(tagged((0, 0), samples=0)) is None


@given(st.lists(st.tuples(st.sampled_from([0, 6]), st.sampled_from([0, 6])), max_size=6))
def test_every_decided_entity_has_exactly_what_its_hits_ask_for(hits):
    directives = directives_of(tagged(*hits))
    assert directives is not None
    assert [(d.text, d.image) for d in directives] == [(text == 0, image == 0) for text, image in hits]


POST = LabelledPost(
    "1",
    "Ana in Oslo",
    (LabelledEntity(0, 3, "PER", boxes=((0, 0, 40, 40), (100, 0, 300, 100))), LabelledEntity(7, 11, "LOC")),
)


def test_text_is_due_before_pictures_and_pictures_before_the_answer():
    case = Case("1", POST, PICTURE, (Directive(text=True, image=True), Directive()))
    dialogue = Dialogue.begin(POST.text, PICTURE, load_prompts("compact"))
    assert due(case, dialogue) is Tool.TEXT
    search = '<reason>?</reason><text_search>[{"query": "Ana"}]</text_search>'
    dialogue = dialogue.after_turn(Completion(search, FinishReason.STOP, 0, 0))
    assert due(case, dialogue) is Tool.IMAGE
    assert due(Case("1", POST, PICTURE, (Directive(), Directive())), dialogue) is None


def test_gold_is_written_in_the_models_frame_the_largest_box_first():
    case = Case("1", POST, PICTURE, (Directive(), Directive()))
    resized = gold_mentions(case, POST.text, BoxFrame.RESIZED)
    assert [(m.name, m.type, m.box) for m in resized] == [
        ("Ana", "PER", (50, 0, 150, 50)),
        ("Oslo", "LOC", None),
    ]
    assert gold_mentions(case, POST.text, BoxFrame.NORMALISED)[0].box == (250, 0, 750, 500)


def test_without_a_picture_gold_has_no_boxes():
    case = Case("1", POST, None, (Directive(), Directive()))
    assert [mention.box for mention in gold_mentions(case, POST.text, BoxFrame.RESIZED)] == [None, None]
