"""The models that training starts from: the 138M graft, and a tiny one for trying a pipeline out.

The graft itself is `sake_model.checkpoint.graft`: training and set-up build the same base.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sake_model.checkpoint.graft import SMOLLM2_NAME, VisionShape, bare_graft, graft, grafted_tokenizer
from sake_model.grounding import ResizeLimits
from schemas.errors import OperatorError

__all__ = [
    "GRAFT",
    "PICTURES",
    "TINY",
    "TINY_VISION",
    "BaseModel",
    "tiny_base",
    "tiny_tokenizer",
    "with_sight",
]

PICTURES = ResizeLimits(min_pixels=196 * 196, max_pixels=280 * 280, factor_px=28, stamp_px=4)
"""How the default checkpoint wants its pictures: 49 to 100 visual tokens, which a CPU can bear."""

TINY_VISION = VisionShape(depth=2, hidden=64, heads=2, intermediate=128, full_attention_blocks=(0, 1))
TINY_HIDDEN = 128
TINY_LAYERS = 2
TINY_HEADS = 2
"""64 wide each, like SmolLM2's: M-RoPE's sections are made for that width."""
TINY_CONTEXT = 4096
TINY_NORM = 4.0
"""Scale of the last norm. The rows of a random table are short, 0.02 √128 long: at a scale of 1 no logit
could pass 2.6, so whatever LoRA learnt, no token would ever be likely."""


def tiny_tokenizer() -> Any:
    """A byte-level tokenizer with SmolLM2's chat tokens, made here: no download, no vocabulary file."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers  # noqa: PLC0415
    from transformers import PreTrainedTokenizerFast  # noqa: PLC0415

    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    raw = Tokenizer(models.BPE({token: i for i, token in enumerate([*special, *letters])}, []))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=raw,
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        pad_token="<|im_end|>",
        unk_token="<|endoftext|>",
        additional_special_tokens=special,
    )


def tiny_base(seed: int = 0) -> tuple[Any, Any]:
    """A random graft of half a million parameters and its tokenizer: every code path, no knowledge."""
    import torch  # noqa: PLC0415
    from transformers import LlamaConfig, LlamaForCausalLM  # noqa: PLC0415

    torch.manual_seed(seed)
    tokenizer = grafted_tokenizer(tiny_tokenizer())
    config = LlamaConfig(
        vocab_size=len(tokenizer) - 4,
        hidden_size=TINY_HIDDEN,
        intermediate_size=2 * TINY_HIDDEN,
        num_hidden_layers=TINY_LAYERS,
        num_attention_heads=TINY_HEADS,
        num_key_value_heads=1,
        max_position_embeddings=TINY_CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    llama = LlamaForCausalLM(config).float().eval()
    torch.nn.init.constant_(llama.model.norm.weight, TINY_NORM)
    return graft(llama, tokenizer, TINY_VISION), tokenizer


def with_sight(model: Any, tower: Path) -> Any:
    """The model with a pretrained tower (`sake train vision`), changed in place.

    Raises OperatorError when the file is not that of a tower of this size.
    """
    from safetensors.torch import load_file  # noqa: PLC0415

    try:
        unexpected = model.load_state_dict(load_file(tower), strict=False).unexpected_keys
    except RuntimeError as error:
        raise OperatorError(f"{tower} is the tower of another model: {error}") from error
    if unexpected:
        raise OperatorError(f"{tower} is no vision tower: it holds {unexpected[0]}")
    return model


@dataclass(frozen=True, slots=True)
class BaseModel:
    """What adapters are trained on."""

    name: str
    """For people."""
    vision: VisionShape
    make: Callable[[], tuple[Any, Any]]
    """The model in float32 and its tokenizer."""
    tries_out: bool = False
    """It only shows that a path works: whatever it is taught, it can do nothing."""


GRAFT = BaseModel(SMOLLM2_NAME, VisionShape(), bare_graft)
TINY = BaseModel("a tiny random model", TINY_VISION, tiny_base, tries_out=True)
