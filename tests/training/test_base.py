"""The models that training starts from."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.model

from safetensors.torch import save_file
from transformers import AutoProcessor, LlamaConfig, LlamaForCausalLM, Qwen2_5_VLForConditionalGeneration

from sake_model.checkpoint.folder import save_model
from sake_model.checkpoint.graft import graft, grafted_tokenizer
from schemas.errors import OperatorError
from training.base import PICTURES, TINY_VISION, tiny_base, tiny_tokenizer, with_sight
from training.vision.run import tower_weights

IDS = torch.arange(5, 45).view(2, 20)


def test_on_text_a_graft_is_its_language_model_bit_for_bit():
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=259, hidden_size=128, intermediate_size=256, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, tie_word_embeddings=True, pad_token_id=0,
    )  # fmt: skip
    llama = LlamaForCausalLM(config).float().eval()
    model = graft(llama, grafted_tokenizer(tiny_tokenizer()), TINY_VISION)
    with torch.no_grad():
        before = llama.model(IDS).last_hidden_state
        after = model.model(IDS).last_hidden_state
    assert torch.equal(before, after)


def test_the_tiny_model_is_the_same_every_time():
    first, second = tiny_base()[0], tiny_base()[0]
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    other = tiny_base(seed=1)[0]
    assert not torch.equal(first.get_input_embeddings().weight, other.get_input_embeddings().weight)


def test_the_tiny_tokenizer_loses_nothing():
    tokenizer = tiny_tokenizer()
    text = "Ana’s <b>Öslo</b> 🎉\n\t#x"
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_a_saved_base_loads_again(tmp_path):
    model, tokenizer = tiny_base()
    save_model(model, tokenizer, tmp_path, PICTURES)
    loaded = Qwen2_5_VLForConditionalGeneration.from_pretrained(tmp_path, dtype=torch.float32).eval()
    with torch.no_grad():
        assert torch.equal(loaded(IDS).logits, model(IDS).logits)
    processor = AutoProcessor.from_pretrained(tmp_path)
    assert processor.image_processor.size["longest_edge"] == PICTURES.max_pixels


def test_a_tower_moves_from_one_model_to_another(tmp_path):
    source, target = tiny_base(seed=1)[0], tiny_base()[0]
    save_file(tower_weights(source.model.visual), tmp_path / "tower.safetensors")
    with_sight(target, tmp_path / "tower.safetensors")
    patches, grid = torch.randn(16, 3 * 2 * 14 * 14), torch.tensor([[1, 4, 4]])
    with torch.no_grad():
        ours = target.model.visual(patches, grid_thw=grid).pooler_output
        theirs = source.model.visual(patches, grid_thw=grid).pooler_output
    assert torch.equal(ours, theirs)


@pytest.mark.parametrize("name", ["model.visual.merger.ln_q.weight", "something"])
def test_what_is_no_tower_of_this_model_is_told(tmp_path, name):
    save_file({name: torch.zeros(3)}, tmp_path / "tower.safetensors")
    with pytest.raises(OperatorError, match="tower"):
        with_sight(tiny_base()[0], tmp_path / "tower.safetensors")
