"""The shortcuts of training change its speed and nothing else."""

from __future__ import annotations

from random import Random

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.model

from peft import LoraConfig, get_peft_model
from torch.nn.functional import cross_entropy

from schemas.errors import OperatorError
from training.base import PICTURES, tiny_base
from training.sft.batches import POOL_BATCHES, Collator, grouped_by_length
from training.sft.encode import IGNORED
from training.sft.fused_lora import FusedLoraLinear, fuse_lora
from training.sft.run import LORA_TARGETS
from training.sft.trainer import LabelledRows, shifted


def adapted(dropout: float = 0.0):
    model, _ = tiny_base()
    config = LoraConfig(r=4, lora_alpha=8, target_modules=LORA_TARGETS, lora_dropout=dropout)
    model = get_peft_model(model, config)
    torch.manual_seed(1)
    for name, weights in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weights, std=0.05)
    return model


def gradients(model, ids):
    model.zero_grad()
    out = model(input_ids=ids, use_cache=False).logits
    out.square().mean().backward()
    return out.detach(), {n: w.grad.clone() for n, w in model.named_parameters() if w.grad is not None}


def test_fused_lora_gives_pefts_outputs_and_gradients():
    model, ids = adapted(), torch.arange(3, 43).view(2, 20)
    plain_out, plain = gradients(model, ids)
    assert fuse_lora(model) == 14  # 7 linear layers in each of 2 blocks
    fused_out, fused = gradients(model, ids)
    torch.testing.assert_close(fused_out, plain_out, rtol=1e-4, atol=1e-5)
    assert fused.keys() == plain.keys()
    for name, gradient in plain.items():
        torch.testing.assert_close(fused[name], gradient, rtol=1e-3, atol=1e-7)


def test_only_the_language_half_is_adapted():
    model = adapted()
    fuse_lora(model)
    assert not any(
        isinstance(layer, FusedLoraLinear) for layer in model.base_model.model.model.visual.modules()
    )


def test_dropout_is_refused():
    with pytest.raises(OperatorError, match="dropout"):
        fuse_lora(adapted(dropout=0.1))


def test_labels_move_to_the_position_that_predicts_them():
    assert shifted(torch.tensor([[IGNORED, 5, 6]])).tolist() == [[5, 6, IGNORED]]


def test_the_loss_is_that_of_the_whole_head():
    model, _ = tiny_base()
    rows = LabelledRows(model)
    ids = torch.arange(3, 43).view(2, 20)
    labels = ids.clone()
    labels[:, :12] = IGNORED
    whole = model(input_ids=ids, use_cache=False).logits
    expected = cross_entropy(whole[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=IGNORED)
    torch.testing.assert_close(rows.loss(model, {"input_ids": ids}, labels), expected)
    assert model(input_ids=ids, use_cache=False).logits.shape == whole.shape, "the hook is off again"


def test_a_weighty_label_counts_more():
    model, ids = tiny_base()[0], torch.arange(3, 23).view(1, 20)
    labels = ids.clone()
    labels[:, :15] = IGNORED
    rows = LabelledRows(model)
    alone = torch.full_like(labels, IGNORED)
    alone[0, 17] = ids[0, 17]
    plain, own = (rows.loss(model, {"input_ids": ids}, each, of_tokens=1) for each in (labels, alone))
    weighed = rows.loss(model, {"input_ids": ids}, labels, of_tokens=1, weighty=[(0, 17)], weight=4.0)
    torch.testing.assert_close(weighed, plain + 3 * own)


def test_padding_carries_no_label_and_changes_no_loss():
    model, _ = tiny_base()
    rows, collate = LabelledRows(model), Collator(2, 262, PICTURES, None)
    short = {"input_ids": (5, 6, 7, 8), "labels": (IGNORED, IGNORED, 7, 8), "pictures": (), "looks": ()}
    long = {"input_ids": tuple(range(10, 22)), "labels": (IGNORED,) * 12, "pictures": (), "looks": ()}
    alone, both = collate([short]), collate([short, long])
    assert both["labels"][0].tolist() == [IGNORED, IGNORED, 7, 8, *[IGNORED] * 8]
    losses = [rows.loss(model, {"input_ids": b["input_ids"]}, b["labels"]) for b in (alone, both)]
    torch.testing.assert_close(losses[0], losses[1])


def test_batches_have_like_lengths_and_nothing_is_lost():
    random = Random(0)
    lengths = [random.randint(20, 200) for _ in range(16 * POOL_BATCHES * 2 + 5)]
    order = grouped_by_length(lengths, 16, Random(1))
    assert sorted(order) == list(range(len(lengths)))
    padded = sum(16 * max(lengths[i] for i in order[k : k + 16]) for k in range(0, len(order), 16))
    assert padded < 1.06 * sum(lengths)
    assert order == grouped_by_length(lengths, 16, Random(1))
