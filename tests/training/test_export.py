"""From a run's adapter to the delta that set-up reads."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.model

from peft import LoraConfig, get_peft_model

from sake_model.checkpoint.delta import DELTA_FILE, Delta, apply_delta, read_delta
from sake_model.checkpoint.manifest import read_manifest
from schemas.errors import OperatorError
from training import export as exporting
from training.base import PICTURES, tiny_base
from training.export import adapter_delta, averaged, export
from training.sft.run import LORA_TARGETS

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
    export(adapter_delta(folder), tmp_path / "out", name="n", data=(), command="c", commit="", metrics={})
    fresh = tiny_base()[0]
    with torch.no_grad():
        before = fresh(input_ids=IDS).logits
        apply_delta(fresh, read_delta(tmp_path / "out" / DELTA_FILE))
        after = fresh(input_ids=IDS).logits
    assert (before - expected).abs().max() > 0.1
    torch.testing.assert_close(after, expected, rtol=0.02, atol=0.02)  # bfloat16 on disk


def test_manifest_and_card_tell_figures_and_command(adapter, tmp_path):
    figures = {"dev": {"mner_f1": 0.7}}
    export(
        adapter_delta(adapter[0]),
        tmp_path,
        name="n",
        data=("d",),
        command="made by",
        commit="c1",
        metrics=figures,
    )
    manifest, card = read_manifest(tmp_path), (tmp_path / "README.md").read_text()
    assert (manifest.metrics, manifest.command, manifest.resize_limits) == (figures, "made by", PICTURES)
    assert manifest.max_turn_tokens == 320
    assert all(part in card for part in ("mner_f1: 0.7", "made by", "c1", "- d", "no boxes yet"))


def test_a_mean_of_equal_deltas_is_that_delta(adapter):
    one = adapter_delta(adapter[0])
    mean = averaged([one, adapter_delta(adapter[0])])
    for name, (a, b) in one.lora.items():
        torch.testing.assert_close(mean.lora[name], (a, b))


def test_a_delta_too_large_to_ship_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "DELTA_LIMIT_BYTES", 100)
    with pytest.raises(OperatorError, match="rank"):
        export(
            Delta(whole={"x": torch.zeros(99)}),
            tmp_path,
            name="n",
            data=(),
            command="",
            commit="",
            metrics={},
        )


def test_a_folder_without_an_adapter_is_told(tmp_path):
    with pytest.raises(OperatorError, match="adapter"):
        adapter_delta(tmp_path)
