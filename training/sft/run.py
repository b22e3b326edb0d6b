"""One SFT run of the text stage: base, LoRA, data, trainer, checkpoints."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from trl import SFTConfig

from training.data.labelled import LabelledPost
from training.dialogues import text_dialogue, varied
from training.sft.batches import Collator, as_dataset, grouped_by_length
from training.sft.encode import Encoded, encode
from training.sft.fused_lora import fuse_lora
from training.sft.trainer import LabelledRowsTrainer

__all__ = ["LORA_TARGETS", "SftPlan", "run_text_sft", "with_lora"]

LORA_TARGETS = r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"
"""Every linear layer of the language half; the vision tower is trained in full or not at all."""


@dataclass(frozen=True, slots=True)
class SftPlan:
    """What one run does."""

    steps: int = 1300
    batch_size: int = 16
    learning_rate: float = 1e-3
    warmup_steps: int = 40
    decay_share: float = 0.3
    """Share of the steps, at the end, in which the learning rate falls from its peak to zero. Until
    then it is constant, so that a longer run can go on from any checkpoint of that part."""
    lora_rank: int = 32
    lora_alpha: int = 32
    weight_decay: float = 0.0
    seed: int = 1
    checkpoint_every_steps: int = 50


def with_lora(model: Any, plan: SftPlan) -> Any:
    """`model` frozen, in bfloat16, with float32 LoRA weights on its language half."""
    model.to(torch.bfloat16)
    config = LoraConfig(r=plan.lora_rank, lora_alpha=plan.lora_alpha, target_modules=LORA_TARGETS)
    adapted = get_peft_model(model, config)
    fuse_lora(adapted)
    for layer in model.model.language_model.layers:
        layer.compile(dynamic=True)  # one graph, shared by all layers
    return adapted


def text_items(posts: list[LabelledPost], tokenizer: Any, plan: SftPlan) -> list[Encoded]:
    """The examples of all steps in the order of learning; a tweet comes in a new form each epoch.

    A longer plan begins with the items of a shorter one, so that it can go on from its checkpoints.
    """
    random = Random(plan.seed)
    items: list[Encoded] = []
    while len(items) < plan.steps * plan.batch_size:
        epoch = [encode(text_dialogue(varied(post, random)), tokenizer) for post in posts]
        order = grouped_by_length([len(item.input_ids) for item in epoch], plan.batch_size, random)
        items += [epoch[i] for i in order]
    return items[: plan.steps * plan.batch_size]


def run_text_sft(
    make_base: Callable[[], tuple[Any, Any]], posts: list[LabelledPost], plan: SftPlan, out: Path
) -> None:
    """Trains and leaves the adapter in `out/adapter`; goes on from the last checkpoint in `out`."""
    torch.manual_seed(plan.seed)
    model, tokenizer = make_base()
    model.config._attn_implementation = "eager"
    adapted = with_lora(model, plan)
    out.mkdir(parents=True, exist_ok=True)
    (out / "plan.json").write_text(json.dumps(asdict(plan), indent=1))
    arguments = SFTConfig(
        output_dir=str(out),
        per_device_train_batch_size=plan.batch_size,
        num_train_epochs=1,
        learning_rate=plan.learning_rate,
        lr_scheduler_type="warmup_stable_decay",
        lr_scheduler_kwargs={"num_decay_steps": int(plan.decay_share * plan.steps), "decay_type": "1-sqrt"},
        warmup_steps=plan.warmup_steps,
        weight_decay=plan.weight_decay,
        max_grad_norm=1.0,
        seed=plan.seed,
        save_steps=plan.checkpoint_every_steps,
        logging_steps=10,
        report_to=[],
        use_cpu=not torch.cuda.is_available(),
        bf16=False,
        gradient_checkpointing=False,
        train_sampling_strategy="sequential",
        dataloader_num_workers=0,
        remove_unused_columns=False,
        dataset_kwargs={"skip_prepare_dataset": True},
        disable_tqdm=True,
    )
    adapted.train()
    trainer = LabelledRowsTrainer(
        model=adapted,
        args=arguments,
        data_collator=Collator(tokenizer.pad_token_id),
        train_dataset=as_dataset(text_items(posts, tokenizer, plan)),
        processing_class=tokenizer,
    )
    done = sorted(out.glob("checkpoint-*"))
    trainer.train(resume_from_checkpoint=bool(done))
    adapted.save_pretrained(out / "adapter")
    (out / "history.json").write_text(json.dumps(trainer.state.log_history))
