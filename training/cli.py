"""`sake train …`: everything that makes a checkpoint. Runs in the model environment."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["train"]

FOLDER = click.Path(path_type=Path, file_okay=False)


@click.group()
def train() -> None:
    """Make a SAKE checkpoint."""


@train.command()
@click.option("--data", type=FOLDER, required=True, help="Folder of Twitter-GMNER (txt/, xml/).")
@click.option("--out", type=FOLDER, required=True, help="Run folder; an interrupted run there goes on.")
@click.option("--epochs", default=3, show_default=True)
@click.option("--batch-size", default=16, show_default=True)
@click.option("--learning-rate", default=1e-3, show_default=True)
@click.option("--rank", default=32, show_default=True, help="LoRA rank.")
@click.option("--seed", default=1, show_default=True)
def sft(data: Path, out: Path, epochs: int, batch_size: int, learning_rate: float, rank: int, seed: int) -> None:
    """Teach the base model to answer posts: LoRA, loss on its own turns only."""
    from sake_model.checkpoint.graft import bare_graft  # noqa: PLC0415
    from training.data.twitter import read_twitter  # noqa: PLC0415
    from training.sft.run import SftPlan, run_text_sft  # noqa: PLC0415

    plan = SftPlan(
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        lora_rank=rank,
        lora_alpha=rank,
        seed=seed,
    )
    run_text_sft(bare_graft, list(read_twitter(data, "train")), plan, out)


if __name__ == "__main__":
    train()
