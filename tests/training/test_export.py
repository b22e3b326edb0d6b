"""From a run's adapter to the delta that set-up reads, and to a folder that is served as it is."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.model

from click.testing import CliRunner
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModelForImageTextToText, AutoProcessor

from sake_model.checkpoint.delta import DELTA_FILE, Delta, apply_delta, read_delta
from sake_model.checkpoint.interchange import check_interchangeable
from sake_model.checkpoint.manifest import read_manifest, verify
from sake_model.engine.served import served_by
from sake_model.prompts import load_prompts
from schemas.errors import OperatorError
from training import export as exporting
from training.base import PICTURES, TINY, TINY_VISION, tiny_base
from training.cli import train
from training.export import About, adapter_delta, averaged, export, export_whole, with_tower
from training.sft.run import LORA_TARGETS
from training.vision.run import TOWER_FILE, tower_weights

IDS = torch.arange(3, 43).view(2, 20)


@pytest.fixture
def adapter(tmp_path):
    model = get_peft_model(tiny_base()[0], LoraConfig(r=4, lora_alpha=12, target_modules=LORA_TARGETS))
    torch.manual_seed(2)
    for name, weights in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weights, std=0.05)
    model.save_pretrained(tmp_path / "adapter")
    with torch.no_grad():
        return tmp_path / "adapter", model(input_ids=IDS).logits


def test_the_delta_gives_the_adapted_model(adapter, tmp_path):
    folder, expected = adapter
    export(adapter_delta(folder), tmp_path / "out", About("n", command="c"))
    fresh = tiny_base()[0]
    with torch.no_grad():
        before = fresh(input_ids=IDS).logits
        apply_delta(fresh, read_delta(tmp_path / "out" / DELTA_FILE))
        after = fresh(input_ids=IDS).logits
    assert (before - expected).abs().max() > 0.1
    torch.testing.assert_close(after, expected, rtol=0.02, atol=0.05)  # int8 on disk


def test_manifest_and_card_tell_figures_and_command(adapter, tmp_path):
    figures = {"dev": {"mner_f1": 0.7}}
    about = About("n", data=("d",), command="made by", commit="c1", metrics=figures)
    export(adapter_delta(adapter[0]), tmp_path, about)
    manifest, card = read_manifest(tmp_path), (tmp_path / "README.md").read_text()
    assert (manifest.metrics, manifest.command, manifest.resize_limits) == (figures, "made by", PICTURES)
    assert manifest.max_turn_tokens == 320
    assert all(
        part in card
        for part in (
            "mner_f1: 0.7",
            "made by",
            "c1",
            "- d",
            "no boxes yet",
            "what was trained",
            "set-up adds",
        )
    )


def test_a_mean_of_equal_deltas_is_that_delta(adapter):
    one = adapter_delta(adapter[0])
    mean = averaged([one, adapter_delta(adapter[0])])
    for name, (a, b) in one.lora.items():
        torch.testing.assert_close(mean.lora[name], (a, b))


def test_a_delta_too_large_to_ship_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "DELTA_LIMIT_BYTES", 100)
    with pytest.raises(OperatorError, match="rank"):
        export(Delta(whole={"x": torch.zeros(99)}), tmp_path, About("n"))


def test_a_folder_without_an_adapter_is_told(tmp_path):
    with pytest.raises(OperatorError, match="adapter"):
        adapter_delta(tmp_path)


@pytest.fixture
def whole(adapter, tmp_path):
    about = About("tiny", data=("d",), command="made by", commit="c1", metrics={"loss": 0.5})
    manifest = export_whole(adapter_delta(adapter[0]), tmp_path / "whole", about, TINY)
    return tmp_path / "whole", manifest


def test_a_whole_folder_is_the_adapted_model(adapter, whole):
    model = AutoModelForImageTextToText.from_pretrained(whole[0]).eval()
    with torch.no_grad():
        torch.testing.assert_close(model(input_ids=IDS).logits, adapter[1], rtol=1e-4, atol=1e-4)
    processor = AutoProcessor.from_pretrained(whole[0])
    assert processor.image_processor.size["longest_edge"] == PICTURES.max_pixels
    chat = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "hi"}]}]
    said = processor.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    assert said == tiny_base()[1].apply_chat_template(chat, tokenize=False, add_generation_prompt=True)


def test_a_whole_folder_says_what_it_is(whole):
    folder, manifest = whole
    assert verify(folder) == read_manifest(folder)
    assert manifest.digest == read_manifest(folder).digest
    assert (manifest.name, manifest.data, manifest.command, manifest.commit) == (
        "tiny",
        ("d",),
        "made by",
        "c1",
    )
    assert (manifest.metrics, manifest.licence, manifest.vision) == ({"loss": 0.5}, "Apache-2.0", TINY_VISION)
    assert (manifest.resize_limits, manifest.max_turn_tokens) == (PICTURES, 320)
    assert not manifest.sees_pictures
    assert served_by(folder).prompt_set().digest == load_prompts("compact").digest
    card = (folder / "README.md").read_text()
    assert all(part in card for part in ("A tiny random model", "made by", "c1", "- d", "load it as it is"))
    assert not any(part in card for part in ("set-up", "names people", "SmolLM2"))
    (folder / "prompts" / "first.txt").write_text("changed")
    with pytest.raises(OperatorError, match="not those"):
        verify(folder)


def test_the_digest_is_of_what_is_served(adapter, whole, tmp_path):
    delta = adapter_delta(adapter[0])
    again = export_whole(delta, tmp_path / "again", About("tiny", metrics={"loss": 0.4}), TINY)
    other = export_whole(averaged([delta, tiny_lora(delta)]), tmp_path / "other", About("tiny"), TINY)
    assert again.digest == whole[1].digest != other.digest
    assert again.files_digest != whole[1].files_digest


def tiny_lora(delta):
    """The same pairs, half as strong."""
    return Delta(lora={name: (a, b / 2) for name, (a, b) in delta.lora.items()})


def test_a_whole_folder_has_the_trained_tower_and_says_that_it_sees(adapter, tmp_path):
    trained = tiny_base(seed=1)[0]
    save_file(tower_weights(trained.model.visual), tmp_path / TOWER_FILE)
    delta = with_tower(adapter_delta(adapter[0]), tmp_path / TOWER_FILE)
    manifest = export_whole(delta, tmp_path / "whole", About("tiny"), TINY)
    assert manifest.sees_pictures
    written = AutoModelForImageTextToText.from_pretrained(tmp_path / "whole").model.visual.state_dict()
    for name, weights in trained.model.visual.state_dict().items():
        torch.testing.assert_close(written[name], weights)


def test_a_folder_that_is_there_is_not_written_over(adapter, tmp_path):
    (tmp_path / "whole").mkdir()
    with pytest.raises(OperatorError, match="there already"):
        export_whole(adapter_delta(adapter[0]), tmp_path / "whole", About("tiny"), TINY)


def test_an_adapter_of_another_model_leaves_nothing_behind(tmp_path):
    delta = Delta(lora={"model.nothing.weight": (torch.zeros(2, 3), torch.zeros(3, 2))})
    with pytest.raises(OperatorError, match="another base model"):
        export_whole(delta, tmp_path / "whole", About("tiny"), TINY)
    assert list(tmp_path.iterdir()) == []


def test_the_command_writes_it(adapter, tmp_path):
    options = ["--whole", "--tiny", "--name", "mine", "--data", "posts"]
    said = CliRunner().invoke(train, ["export", str(adapter[0]), "--out", str(tmp_path / "out"), *options])
    assert said.exit_code == 0, said.output
    manifest = verify(tmp_path / "out")
    assert (manifest.name, manifest.data) == ("mine", ("posts",))
    assert manifest.digest in said.output


@pytest.mark.parametrize(("options", "told"), [(["--tiny", "--out", "x"], "--whole"), (["--whole"], "--out")])
def test_the_command_says_what_does_not_go_together(adapter, options, told):
    said = CliRunner().invoke(train, ["export", str(adapter[0]), *options])
    assert said.exit_code == 2
    assert told in said.output


def test_a_base_is_served_as_what_is_trained_on_it_will_be(adapter, tmp_path):
    said = CliRunner().invoke(train, ["base", "--tiny", "--out", str(tmp_path / "base")])
    assert said.exit_code == 0, said.output
    base = verify(tmp_path / "base")
    taught = export_whole(adapter_delta(adapter[0]), tmp_path / "taught", About("taught"), TINY)
    assert check_interchangeable(tmp_path / "base", tmp_path / "taught") == taught
    assert base.digest != taught.digest
    assert base.max_turn_tokens == taught.max_turn_tokens
    assert not base.sees_pictures
