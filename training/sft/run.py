"""One SFT run: base, tower, LoRA, data, trainer, checkpoints.

Text posts and posts with pictures are learnt together; without pictures the tower is left alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import save_file
from transformers import TrainerCallback
from transformers.trainer_utils import get_last_checkpoint
from trl import SFTConfig

from sake_model.checkpoint.graft import IMAGE_TOKEN, build_processor
from sake_model.corpora.labelled import LabelledPost
from sake_model.grounding import ResizeLimits
from training.base import with_sight
from training.dialogues import picture_dialogue, text_dialogue, varied
from training.sft.batches import Collator, as_dataset, grouped_by_length
from training.sft.encode import ChatTurn, Encoded, encode
from training.sft.fused_lora import fuse_lora
from training.sft.gaze import Gaze, comparing_layers, gazing_layers, looks_of
from training.sft.trainer import LabelledRowsTrainer
from training.vision.patches import linear_patches
from training.vision.run import TOWER_FILE, tower_weights

__all__ = ["LORA_TARGETS", "Lessons", "SftPlan", "SftStart", "adapted_model", "run_sft", "with_looks"]

LORA_TARGETS = r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"
"""Every linear layer of the language half; the vision tower is trained in full or not at all."""


@dataclass(frozen=True, slots=True)
class SftPlan:
    """What one run does."""

    steps: int = 1300
    batch_size: int = 16
    learning_rate: float = 1e-3
    tower_learning_rate: float = 2e-4
    """0 = the tower stays as it is."""
    gaze_weight: float = 0.3
    """Of the loss that shows heads where to look (`training.sft.gaze`); 0 = they find out by themselves."""
    shown_weight: float = 4.0
    """What a token counts that says whether the picture shows an entity: it decides on all that follows, and
    is one of some sixty."""
    strange_picture_share: float = 0.15
    """Share of posts without a picture that are shown a stranger's: nothing of theirs is to be seen in it,
    and their names must be found all the same."""
    warmup_steps: int = 40
    decay_share: float = 0.3
    """Share of the steps, at the end, in which the learning rate falls from its peak to zero. Until
    then it is constant, so that a longer run can go on from any checkpoint of that part."""
    lora_rank: int = 32
    lora_alpha: int = 32
    weight_decay: float = 0.0
    seed: int = 1
    checkpoint_every_steps: int = 50
    compiled: bool = True
    """Fused kernels for the language layers: half a minute at the start, a third less time a step."""


@dataclass(frozen=True, slots=True)
class SftStart:
    """What a run begins with, beyond the base model."""

    tower: Path | None = None
    """A pretrained tower (`sake train vision`); it learns on in the run."""
    adapter: Path | None = None
    """The adapter of an earlier stage; it learns on, with its own rank."""


@dataclass(frozen=True, slots=True)
class Lessons:
    """What a run learns from."""

    posts: Sequence[LabelledPost]
    """To be answered at once."""
    chats: Sequence[tuple[ChatTurn, ...]] = ()
    """Whole dialogues beside them."""
    strangers: Sequence[Path] = ()
    """Pictures in which nothing of the posts without a picture is to be seen."""


def run_sft(
    make_base: Callable[[], tuple[Any, Any]],
    lessons: Lessons,
    limits: ResizeLimits,
    *,
    plan: SftPlan,
    start: SftStart = SftStart(),
    out: Path,
) -> None:
    """Trains; goes on from the last checkpoint in `out`.

    Leaves `out/adapter` and, where there were pictures, `out/tower.safetensors`.
    """
    torch.manual_seed(plan.seed)
    model, tokenizer = make_base()
    model.config._attn_implementation = "eager"
    adapted, gaze = adapted_model(model, plan, start)
    processor = build_processor(tokenizer, min_pixels=limits.min_pixels, max_pixels=limits.max_pixels)
    out.mkdir(parents=True, exist_ok=True)
    (out / "plan.json").write_text(json.dumps(asdict(plan), indent=1) + "\n")
    trainer = LabelledRowsTrainer(
        model=adapted,
        args=_arguments(plan, out),
        data_collator=Collator(
            tokenizer.pad_token_id,
            tokenizer.convert_tokens_to_ids(IMAGE_TOKEN),
            limits,
            processor.image_processor,
        ),
        train_dataset=as_dataset(
            with_looks(encoded_posts(lessons, tokenizer, limits, plan), tokenizer, limits)
        ),
        processing_class=tokenizer,
        optimizers=(_optimiser(adapted, plan), None),
        gaze=gaze,
        gaze_weight=plan.gaze_weight,
        shown_weight=plan.shown_weight,
    )
    last = get_last_checkpoint(str(out))
    if start.tower is not None:
        trainer.add_callback(TowerKeeper(model))
        if last is not None:
            with_sight(model, Path(last) / TOWER_FILE)
    trainer.train(resume_from_checkpoint=last)
    adapted.save_pretrained(out / "adapter")
    if start.tower is not None:
        save_file(tower_weights(model.model.visual), out / TOWER_FILE)
    (out / "history.json").write_text(json.dumps(trainer.state.log_history))


def encoded_posts(lessons: Lessons, tokenizer: Any, limits: ResizeLimits, plan: SftPlan) -> list[Encoded]:
    """The examples of all steps in the order of learning; a tweet comes in a new form each epoch.

    A longer plan begins with the items of a shorter one, so that it can go on from its checkpoints.
    """
    random = Random(plan.seed)
    items: list[Encoded] = []
    led = [encode(chat, tokenizer) for chat in lessons.chats]
    while len(items) < plan.steps * plan.batch_size:
        epoch = [
            encode(
                _dialogue(_shown(varied(post, random), lessons.strangers, plan, random), limits), tokenizer
            )
            for post in lessons.posts
        ] + led
        order = grouped_by_length([len(item.input_ids) for item in epoch], plan.batch_size, random)
        items += [epoch[i] for i in order]
    return items[: plan.steps * plan.batch_size]


def with_looks(items: Sequence[Encoded], tokenizer: Any, limits: ResizeLimits) -> list[Encoded]:
    """The examples with where to look (`training.sft.gaze`)."""
    piece = lru_cache(maxsize=None)(lambda token: str(tokenizer.decode([token])))
    image_id = tokenizer.convert_tokens_to_ids(IMAGE_TOKEN)
    return [replace(item, looks=looks_of(item, piece, image_id, limits.factor_px)) for item in items]


def _shown(post: LabelledPost, strangers: Sequence[Path], plan: SftPlan, random: Random) -> LabelledPost:
    if post.picture is not None or not strangers or random.random() >= plan.strange_picture_share:
        return post
    return replace(
        post,
        picture=random.choice(strangers),
        entities=tuple(replace(entity, boxes=()) for entity in post.entities),
    )


def _dialogue(post: LabelledPost, limits: ResizeLimits) -> tuple[ChatTurn, ...]:
    return text_dialogue(post) if post.picture is None else picture_dialogue(post, limits)


def adapted_model(model: Any, plan: SftPlan, start: SftStart) -> tuple[Any, Gaze | None]:
    """`model` in bfloat16 with float32 LoRA on its language half, and a float32 tower if it learns; and
    what catches the gaze of some of its layers, which then are not compiled."""
    model.to(torch.bfloat16)
    linear_patches(model.model.visual)
    if start.tower is not None:
        model.model.visual.float()  # before loading: small steps vanish in bfloat16
        with_sight(model, start.tower)
    if start.adapter is not None:
        adapted = PeftModel.from_pretrained(model, start.adapter, is_trainable=True)
    else:
        config = LoraConfig(r=plan.lora_rank, lora_alpha=plan.lora_alpha, target_modules=LORA_TARGETS)
        adapted = get_peft_model(model, config)
    fuse_lora(adapted)
    if start.tower is not None:
        model.model.visual.requires_grad_(plan.tower_learning_rate > 0)
    layers = model.model.language_model.layers
    gazes = bool(plan.gaze_weight) and start.tower is not None
    gazing = gazing_layers(len(layers)) if gazes else range(0)
    comparing = comparing_layers(len(layers)) if gazes and gazing[0] > 0 else ()
    for i, layer in enumerate(layers):
        if plan.compiled and i not in (*comparing, *gazing):
            layer.compile(dynamic=True)  # one graph, shared by all layers
    gaze = Gaze([layers[i] for i in gazing], [layers[i] for i in comparing]) if gazes else None
    return adapted.train(), gaze


def _optimiser(adapted: Any, plan: SftPlan) -> torch.optim.AdamW:
    learns = {name: weights for name, weights in adapted.named_parameters() if weights.requires_grad}
    tower = [weights for name, weights in learns.items() if ".visual." in name]
    lora = [weights for name, weights in learns.items() if ".visual." not in name]
    groups = [{"params": lora, "lr": plan.learning_rate}]
    if tower:
        groups.append({"params": tower, "lr": plan.tower_learning_rate})
    return torch.optim.AdamW(groups, weight_decay=plan.weight_decay)


class TowerKeeper(TrainerCallback):  # type: ignore[misc, unused-ignore]
    """Puts the tower into every checkpoint, beside the adapter that PEFT saves."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def on_save(self, args: Any, state: Any, _control: Any, **_kwargs: Any) -> None:
        """The Trainer calls it once the checkpoint's folder is there."""
        save_file(
            tower_weights(self._model.model.visual),
            Path(args.output_dir) / f"checkpoint-{state.global_step}" / TOWER_FILE,
        )


def _arguments(plan: SftPlan, out: Path) -> SFTConfig:
    return SFTConfig(
        output_dir=str(out),
        per_device_train_batch_size=plan.batch_size,
        num_train_epochs=1,
        learning_rate=plan.learning_rate,
        lr_scheduler_type="warmup_stable_decay",
        lr_scheduler_kwargs={"num_decay_steps": int(plan.decay_share * plan.steps), "decay_type": "1-sqrt"},
        warmup_steps=plan.warmup_steps,
        max_grad_norm=1.0,
        seed=plan.seed,
        save_steps=plan.checkpoint_every_steps,
        logging_steps=10,
        report_to=[],
        use_cpu=not torch.cuda.is_available(),
        bf16=False,  # the weights themselves are bfloat16
        gradient_checkpointing=False,
        train_sampling_strategy="sequential",
        remove_unused_columns=False,
        dataset_kwargs={"skip_prepare_dataset": True},
        disable_tqdm=True,
    )
