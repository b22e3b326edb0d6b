"""From a model's turn to figures, on the tiny model and on turns written here."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("torch")
pytest.importorskip("matplotlib")
pytestmark = pytest.mark.model

from support.drawn_marks import MARKS

from sake_model.checkpoint.graft import build_processor
from sake_model.corpora.labelled import LabelledEntity, LabelledPost
from training import evaluate
from training.base import PICTURES, tiny_base
from training.dialogues import answer_turn, picture_dialogue
from training.evaluate import Reader, answer_all, figures_of, scored
from training.synthetic.posts import Composer
from training.synthetic.store import read_folder, write_folder

TWEET = LabelledPost("1", "Ana in Oslo", (LabelledEntity(0, 3, "PER"), LabelledEntity(7, 11, "LOC")))


@pytest.fixture(scope="module")
def posts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("composed")
    write_folder(Composer(MARKS, "train", 3), 8, folder)
    return read_folder(folder)


def test_gold_turns_are_all_right(posts):
    turns = [picture_dialogue(post, PICTURES)[1].content for post in posts]
    figures = figures_of(
        [scored(post, turn, PICTURES) for post, turn in zip(posts, turns, strict=True)],
        ("gmner", "mner", "eeg"),
    )
    assert (figures["gmner_f1"], figures["mner_f1"], figures["eeg_f1"], figures["broken_turns"]) == (
        1,
        1,
        1,
        0,
    )


def test_right_names_without_boxes_are_mner_alone(posts):
    figures = figures_of([scored(post, answer_turn(post), PICTURES) for post in posts], ("gmner", "mner"))
    assert figures["mner_f1"] == 1
    assert figures["gmner_f1"] < 0.7


@pytest.mark.parametrize(
    ("turn", "right_predicted_gold"),
    [
        (answer_turn(TWEET), [2, 2, 2]),
        (answer_turn(TWEET).replace("LOC", "ORG"), [1, 2, 2]),
        (answer_turn(TWEET).replace("Oslo", "Rome"), [1, 2, 2]),
        ("<reason>I do not know", [0, 0, 2]),
    ],
)
def test_a_turn_counts_for_what_it_says(turn, right_predicted_gold):
    figures = figures_of([scored(TWEET, turn, PICTURES)], ("mner",))
    assert figures["mner_right_predicted_gold"] == right_predicted_gold
    assert figures["broken_turns"] == (right_predicted_gold[1] == 0)


def test_a_model_answers_tweets_and_posts_with_pictures_in_one_go(posts, tmp_path, monkeypatch):
    monkeypatch.setattr(evaluate, "MAX_NEW_TOKENS", 4)
    model, tokenizer = tiny_base()
    processor = build_processor(tokenizer, min_pixels=PICTURES.min_pixels, max_pixels=PICTURES.max_pixels)
    reader = Reader(model, tokenizer, processor.image_processor, PICTURES)
    figures = answer_all(reader, [TWEET, *posts[:3]], tmp_path / "figures.json")
    assert figures == json.loads((tmp_path / "figures.json").read_text())
    assert figures["posts"] == 4
    assert figures["broken_turns"] == 4, "a random model says nothing"
