"""References learn to find their like before a dialogue asks for it: on the tiny model, real pictures."""

from __future__ import annotations

import json

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("matplotlib")
pytestmark = pytest.mark.model

from PIL import Image
from safetensors.torch import load_file, save_file

from sake_model.grounding import Size
from schemas.errors import OperatorError
from training.base import PICTURES, tiny_base
from training.sft.encode import ABSENT, MATCH, NO_MATCH, RECALL, WHOLE, ChatTurn, Encoded, Look, Picture
from training.sft.matching import MatchPlan, comparisons_of, run_matching
from training.sft.run import SftStart
from training.vision.run import tower_weights

ANSWER = '<reason>r</reason><answer>[{"entity": "Acme", "type": "ORG", "box2d": [%s]}]</answer>'
IMAGE = 7


@pytest.fixture
def chats(tmp_path):
    """Two posts about Acme: its mark is the right half of one picture, and in the other there is none."""
    found = []
    for number, box in enumerate(("500, 0, 1000, 1000", "")):
        scene = Image.new("RGB", (224, 224), "navy")
        if box:
            scene.paste("orange", (112, 0, 224, 224))
        scene.save(tmp_path / f"scene-{number}.png")
        Image.new("RGB", (112, 112), "orange").save(tmp_path / "mark.png")
        shown = Picture(tmp_path / f"scene-{number}.png", Size(224, 224), Size(224, 224), 64, ready=True)
        title = "<information>\nAcme\n"
        mark = Picture(tmp_path / "mark.png", Size(112, 112), Size(112, 112), 16, at=len(title), ready=True)
        found.append(
            (
                ChatTurn("user", "Acme again", (shown,)),
                ChatTurn("assistant", "<reason>r</reason>"),
                ChatTurn("user", f"{title}\n</information>\nAnswer.", (mark,)),
                ChatTurn("assistant", ANSWER % box),
            )
        )
    return found


@pytest.fixture
def tower(tmp_path):
    path = tmp_path / "tower.safetensors"
    save_file(tower_weights(tiny_base()[0].model.visual), path)
    return path


def test_what_is_learnt_ends_with_the_last_reference():
    looks = (
        Look(9, 11, (1, 2), edge=NO_MATCH),
        Look(6, 8, (2,), edge=MATCH),
        Look(12, 14, (9, 10), edge=RECALL),
        Look(12, 14, (2,), edge=WHOLE),
        Look(15, 16, (1, 2), edge=ABSENT),
    )
    ids = (5, IMAGE, IMAGE, 5, 5, 5, IMAGE, IMAGE, 5, IMAGE, IMAGE, 5, 5, 5, IMAGE, 5)
    pictures = tuple(Picture(None, Size(1, 1), Size(1, 1), tokens) for tokens in (2, 2, 2, 1))
    cut = comparisons_of(Encoded(ids, ids, pictures, looks), IMAGE)
    assert cut.input_ids == ids[:11]
    assert set(cut.labels) == {-100}, "nothing is said"
    assert cut.pictures == pictures[:3], "the one that follows is not needed"
    assert cut.looks == looks[:2]
    assert comparisons_of(Encoded(ids, ids, pictures, looks[2:]), IMAGE) is None


def test_references_learn_to_look_at_their_like_and_away_where_there_is_none(chats, tower, tmp_path):
    out = tmp_path / "run"
    plan = MatchPlan(steps=80, batch_size=2, learning_rate=1e-2, warmup_steps=5)
    run_matching(tiny_base, chats, PICTURES, plan=plan, start=SftStart(tower), out=out)
    losses = json.loads((out / "history.json").read_text())
    assert len(losses) == 80
    assert sum(losses[-5:]) < 0.6 * sum(losses[:5])
    assert (out / "adapter/adapter_model.safetensors").is_file()
    kept, before = load_file(out / "tower.safetensors"), load_file(tower)
    assert all(torch.equal(kept[name], before[name]) for name in before), "the tower stays as it is"


def test_only_the_layers_that_compare_have_changed(chats, tower, tmp_path):
    plan = MatchPlan(steps=2, batch_size=2)
    run_matching(tiny_base, chats, PICTURES, plan=plan, start=SftStart(tower), out=tmp_path / "run")
    weights = load_file(tmp_path / "run/adapter/adapter_model.safetensors")
    changed = {
        name.split(".layers.")[1][0] for name, value in weights.items() if "lora_B" in name and value.any()
    }
    assert changed == {"0"}, "of the tiny model's two; a new adapter's second half is zero"


def test_dialogues_without_a_reference_and_a_missing_tower_are_refused(chats, tower, tmp_path):
    with pytest.raises(OperatorError, match="compare nothing"):
        run_matching(
            tiny_base, [chat[:2] for chat in chats], PICTURES,
            plan=MatchPlan(steps=1), start=SftStart(tower), out=tmp_path / "run",
        )  # fmt: skip
    with pytest.raises(OperatorError, match="give --tower"):
        run_matching(
            tiny_base, chats, PICTURES, plan=MatchPlan(steps=1), start=SftStart(), out=tmp_path / "run"
        )
