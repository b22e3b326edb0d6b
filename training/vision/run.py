"""Pretraining of the vision tower: composed posts in, `tower.safetensors` out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from transformers import Trainer, TrainingArguments
from transformers.trainer_utils import get_last_checkpoint

from sake_model.checkpoint.graft import build_processor
from sake_model.grounding import ResizeLimits
from training.base import with_sight
from training.synthetic.posts import Composer
from training.vision.data import ComposedStream, VisionCollator
from training.vision.model import DenseVision, iou
from training.vision.optimizer import MatrixOptimizer
from training.vision.patches import linear_patches
from training.vision.references import References
from training.vision.targets import NOTHING

__all__ = ["TOWER_FILE", "TOWER_PREFIX", "VisionPlan", "cell_figures", "run_vision", "tower_weights"]

TOWER_FILE = "tower.safetensors"
HEADS_FILE = "heads.safetensors"
"""Beside the tower: what a run that goes on from it begins with, and nothing else needs."""
TOWER_PREFIX = "model.visual."
HELD_OUT_POSTS = 96


@dataclass(frozen=True, slots=True)
class VisionPlan:
    """What one run does."""

    steps: int = 4000
    batch_size: int = 8
    learning_rate: float = 5e-4
    warmup_steps: int = 100
    weight_decay: float = 0.05
    seed: int = 1
    loader_workers: int = 1
    checkpoint_every_steps: int = 200


def run_vision(
    make_base: Callable[[], tuple[Any, Any]],
    *,
    composer: Composer,
    held_out: Composer,
    limits: ResizeLimits,
    plan: VisionPlan,
    out: Path,
    start: Path | None = None,
) -> dict[str, float]:
    """Trains the tower, goes on from the last checkpoint in `out`; the figures on things held out.

    `start` is a tower of an earlier run; it learns on, and so do the heads that lie beside it.
    """
    torch.manual_seed(plan.seed)
    model, tokenizer = make_base()
    if start is not None:
        with_sight(model, start)
    table = model.get_input_embeddings().weight.data
    dense = DenseVision(linear_patches(model.model.visual), table.shape[1])
    if start is not None and (beside := start.with_name(HEADS_FILE)).is_file():
        dense.load_state_dict(load_file(beside), strict=False)
    processor = build_processor(tokenizer, min_pixels=limits.min_pixels, max_pixels=limits.max_pixels)
    collate = VisionCollator(limits, processor.image_processor, tokenizer, table, References(composer.marks))
    out.mkdir(parents=True, exist_ok=True)
    (out / "plan.json").write_text(json.dumps(asdict(plan), indent=1) + "\n")
    last = get_last_checkpoint(str(out))
    done = int(last.rpartition("-")[2]) * plan.batch_size if last else 0
    trainer = Trainer(
        model=dense,
        args=_arguments(plan, out),
        data_collator=collate,
        train_dataset=ComposedStream(composer, start=done),
        optimizers=(_optimizer(dense, plan), None),
    )
    trainer.train(resume_from_checkpoint=last)
    save_file(tower_weights(dense.tower), out / TOWER_FILE)
    heads = {name: w for name, w in dense.state_dict().items() if not name.startswith("tower.")}
    save_file(heads, out / HEADS_FILE)
    collate = VisionCollator(limits, processor.image_processor, tokenizer, table, References(held_out.marks))
    figures = cell_figures(dense, collate, held_out)
    (out / "figures.json").write_text(json.dumps(figures, indent=1) + "\n")
    (out / "history.json").write_text(json.dumps(trainer.state.log_history))
    return figures


def tower_weights(tower: Any) -> dict[str, Any]:
    """The tower's tensors under the names that they have in the whole model."""
    return {f"{TOWER_PREFIX}{name}": w.detach().contiguous() for name, w in tower.state_dict().items()}


def _optimizer(dense: DenseVision, plan: VisionPlan) -> MatrixOptimizer:
    matrices = [weight for block in dense.tower.blocks for weight in block.parameters() if weight.ndim == 2]
    own = {id(weight) for weight in matrices}
    others = [weight for weight in dense.parameters() if id(weight) not in own]
    return MatrixOptimizer(matrices, others, plan.learning_rate, plan.weight_decay)


def _arguments(plan: VisionPlan, out: Path) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(out),
        max_steps=plan.steps,
        per_device_train_batch_size=plan.batch_size,
        learning_rate=plan.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=plan.warmup_steps,
        weight_decay=plan.weight_decay,
        max_grad_norm=1.0,
        seed=plan.seed,
        save_steps=plan.checkpoint_every_steps,
        save_total_limit=2,
        logging_steps=20,
        report_to=[],
        use_cpu=not torch.cuda.is_available(),
        bf16=True,
        dataloader_num_workers=plan.loader_workers,
        remove_unused_columns=False,
        disable_tqdm=True,
        ignore_data_skip=True,  # a resumed run names the post to begin with: none is composed in vain
        accelerator_config={"dispatch_batches": False},
    )


def cell_figures(dense: DenseVision, collate: VisionCollator, composer: Composer) -> dict[str, float]:
    """On posts never trained on: kinds right over the cells that show something, mean IoU there, and the
    share of cells of marks and flags that are nearest to their own reference among those of eight posts."""
    dense.eval()
    right, cells, overlap, compared, alike = 0, 0, 0.0, 0, 0
    posts = list(islice(composer.posts(), HELD_OUT_POSTS))
    for start in range(0, len(posts), 8):
        batch = collate(posts[start : start + 8])
        with torch.inference_mode():
            seen = dense(**batch)
        shows = batch["kinds"] != NOTHING
        right += int((seen["kinds"] == batch["kinds"])[shows].sum())
        cells += int(shows.sum())
        overlap += float(iou(seen["boxes"][shows], batch["boxes"][shows]).sum())
        looked = batch["looks"] >= 0
        compared += int(looked.sum())
        alike += int((seen["looks"] == batch["looks"])[looked].sum())
    return {
        "cells": cells,
        "kind_accuracy": right / max(1, cells),
        "mean_iou": overlap / max(1, cells),
        "reference_accuracy": alike / max(1, compared),
    }
