"""A whole run on the tiny model: text and pictures, interrupted and resumed."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("matplotlib")
pytestmark = pytest.mark.model

from safetensors.torch import load_file
from support.drawn_marks import MARKS

from sake_model.checkpoint.delta import apply_delta
from sake_model.corpora.labelled import LabelledEntity, LabelledPost
from sake_model.grounding import BoxFrame, Size, to_original
from sake_model.protocol.parse import parse_turn
from training.base import PICTURES, tiny_base
from training.dialogues import picture_dialogue
from training.export import adapter_delta, with_tower
from training.sft.encode import IGNORED, encode
from training.sft.run import Lessons, SftPlan, SftStart, encoded_posts, run_sft
from training.synthetic.posts import Composer
from training.synthetic.store import read_folder, write_folder
from training.vision.run import VisionPlan, run_vision

TEXT = [LabelledPost(str(i), "Ana in Oslo", (LabelledEntity(0, 3, "PER"),)) for i in range(12)]
PLAN = SftPlan(steps=4, batch_size=4, checkpoint_every_steps=2, compiled=False, warmup_steps=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("composed")
    write_folder(Composer(MARKS, "train", 1), 6, path)
    return path


@pytest.fixture(scope="module")
def tower(tmp_path_factory):
    out = tmp_path_factory.mktemp("tower")
    figures = run_vision(
        tiny_base,
        composer=Composer(MARKS, "train", 1),
        held_out=Composer(MARKS, "held_out", 1),
        limits=PICTURES,
        plan=VisionPlan(steps=2, batch_size=2, loader_workers=0),
        out=out,
    )
    assert set(figures) == {"cells", "kind_accuracy", "mean_iou", "reference_accuracy"}
    return out / "tower.safetensors"


def test_boxes_are_written_in_hundredths_of_the_sides_and_come_back(folder):
    post = next(post for post in read_folder(folder) if any(e.boxes for e in post.entities))
    user, assistant = picture_dialogue(post, PICTURES)
    (picture,) = user.pictures
    mentions = parse_turn(assistant.content).turn.action.mentions
    for mention, entity in zip(mentions, post.entities, strict=True):
        if not entity.boxes:
            assert mention.box is None
            continue
        back = to_original(
            mention.box, BoxFrame.NORMALISED, resized=picture.resized, original=picture.original
        )
        assert all(number % 10 == 0 for number in mention.box)
        hundredth = max(picture.original.width, picture.original.height) / 100
        assert back == pytest.approx(entity.boxes[0], abs=hundredth / 2 + 1e-6)


def test_a_picture_is_as_many_tokens_as_the_tower_gives_and_none_is_learnt(folder):
    model, tokenizer = tiny_base()
    user, assistant = picture_dialogue(read_folder(folder)[0], PICTURES)
    encoded = encode((user, assistant), tokenizer)
    pads = [
        label
        for i, label in zip(encoded.input_ids, encoded.labels, strict=True)
        if i == model.config.image_token_id
    ]
    resized = user.pictures[0].resized
    assert pads == [IGNORED] * (resized.width // 28 * resized.height // 28)
    assert resized.pixels <= PICTURES.max_pixels
    assert Size(28, 28).pixels * len(pads) == resized.pixels


def test_a_longer_plan_begins_like_a_shorter_one():
    tokenizer = tiny_base()[1]
    short = encoded_posts(Lessons(TEXT), tokenizer, PICTURES, PLAN)
    longer = encoded_posts(Lessons(TEXT), tokenizer, PICTURES, replace(PLAN, steps=9))
    assert len(longer) == 36
    assert longer[: len(short)] == short


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_post_beside_a_strange_picture_keeps_its_names_and_has_no_box(folder, share):
    tokenizer = tiny_base()[1]
    boxed = [replace(TEXT[0], entities=(replace(TEXT[0].entities[0], boxes=((1, 1, 9, 9),)),))]
    plan = replace(PLAN, steps=1, batch_size=1 + len(read_folder(folder)), strange_picture_share=share)
    grounded = read_folder(folder)
    lessons = Lessons([*boxed, *grounded], strangers=[grounded[0].picture])
    items = encoded_posts(lessons, tokenizer, PICTURES, plan)
    (tweet,) = [item for item in items if tokenizer.decode(item.input_ids).count("Ana")]
    learnt = tokenizer.decode([label for label in tweet.labels if label != IGNORED])
    assert len(tweet.pictures) == share
    assert '{"entity": "Ana", "type": "PER", "box2d": []}' in learnt


def test_a_tower_may_stay_as_it_is(folder, tower, tmp_path):
    plan = replace(PLAN, steps=1, tower_learning_rate=0.0)
    run_sft(
        tiny_base,
        Lessons(read_folder(folder)),
        PICTURES,
        plan=plan,
        start=SftStart(tower=tower),
        out=tmp_path,
    )
    before, after = load_file(tower), load_file(tmp_path / "tower.safetensors")
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_run_goes_on_where_it_was_and_its_delta_is_the_model(folder, tower, tmp_path):
    lessons, start = Lessons([*TEXT, *read_folder(folder)]), SftStart(tower=tower)
    run_sft(tiny_base, lessons, PICTURES, plan=PLAN, start=start, out=tmp_path)
    first = load_file(tmp_path / "tower.safetensors")
    run_sft(tiny_base, lessons, PICTURES, plan=replace(PLAN, steps=6), start=start, out=tmp_path)
    history = json.loads((tmp_path / "history.json").read_text())
    assert history[-1]["step"] == 6
    last = load_file(tmp_path / "tower.safetensors")
    pretrained = load_file(tower)
    name = "model.visual.merger.mlp.0.weight"
    assert not torch.equal(first[name], pretrained[name]), "the tower learns on"
    assert not torch.equal(last[name], first[name])
    kept = load_file(tmp_path / "checkpoint-4" / "tower.safetensors")
    torch.testing.assert_close(kept[name], first[name])

    delta = with_tower(adapter_delta(tmp_path / "adapter"), tmp_path / "tower.safetensors")
    fresh = tiny_base()[0]
    apply_delta(fresh, delta)
    torch.testing.assert_close(fresh.model.visual.merger.mlp[0].weight.data, last[name])
    assert all(b.abs().max() > 0 for _, b in delta.lora.values()), "every adapter has learnt"
