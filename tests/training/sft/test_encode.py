"""The loss mask, token by token."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.model

from training.base import tiny_base
from training.sft.encode import IGNORED, ChatTurn, encode

DIALOGUE = (
    ChatTurn("user", "Ana in Oslo"),
    ChatTurn("assistant", '<reason>Who is Ana?</reason><text_search>[{"query": "Ana"}]</text_search>'),
    ChatTurn("user", "<information>Ana is a singer.</information>\nAnswer."),
    ChatTurn("assistant", "<reason>Names.</reason><answer>[]</answer>"),
)


@pytest.fixture(scope="module")
def tokenizer():
    return tiny_base()[1]


def test_exactly_the_models_own_turns_carry_labels(tokenizer):
    encoded = encode(DIALOGUE, tokenizer)
    learnt = tokenizer.decode([label for label in encoded.labels if label != IGNORED])
    assert learnt == "".join(f"{turn.content}<|im_end|>" for turn in DIALOGUE if turn.role == "assistant")


def test_no_token_of_an_observation_or_of_the_platform_is_learnt(tokenizer):
    encoded = encode(DIALOGUE, tokenizer)
    masked = tokenizer.decode(
        [i for i, label in zip(encoded.input_ids, encoded.labels, strict=True) if label == IGNORED]
    )
    assert "Ana is a singer." in masked
    assert "<information>" in masked
    assert "text_search" not in masked


def test_a_label_is_the_token_itself(tokenizer):
    encoded = encode(DIALOGUE, tokenizer)
    assert all(label in (IGNORED, i) for i, label in zip(encoded.input_ids, encoded.labels, strict=True))


def test_the_tokens_are_those_that_the_chat_template_gives(tokenizer):
    messages = [{"role": turn.role, "content": turn.content} for turn in DIALOGUE]
    served = tokenizer.apply_chat_template(messages, tokenize=True, return_dict=False)
    assert list(encode(DIALOGUE, tokenizer).input_ids) == list(served)
