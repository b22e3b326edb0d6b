"""`sake train …`: everything that makes a checkpoint. Runs in the model environment."""

from __future__ import annotations

import json
from itertools import islice
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
@click.option("--steps", default=1300, show_default=True)
@click.option("--batch-size", default=16, show_default=True)
@click.option("--learning-rate", default=1e-3, show_default=True)
@click.option("--rank", default=32, show_default=True, help="LoRA rank.")
@click.option("--seed", default=1, show_default=True)
def sft(
    *, data: Path, out: Path, steps: int, batch_size: int, learning_rate: float, rank: int, seed: int
) -> None:
    """Teach the base model to answer posts: LoRA, loss on its own turns only."""
    from sake_model.checkpoint.graft import bare_graft  # noqa: PLC0415
    from training.data.twitter import read_twitter  # noqa: PLC0415
    from training.sft.run import SftPlan, run_text_sft  # noqa: PLC0415

    plan = SftPlan(
        steps=steps,
        batch_size=batch_size,
        learning_rate=learning_rate,
        lora_rank=rank,
        lora_alpha=rank,
        seed=seed,
    )
    run_text_sft(bare_graft, list(read_twitter(data, "train")), plan, out)


@train.command("export")
@click.argument("adapters", type=FOLDER, nargs=-1, required=True)
@click.option("--out", type=FOLDER, default=Path("training/checkpoints/default"), show_default=True)
@click.option("--name", default="sake-138m", show_default=True)
@click.option("--command", "made_by", default="", help="The command that trained it, for the card.")
@click.option(
    "--metrics", type=click.Path(path_type=Path, exists=True), multiple=True, help="Figures (JSON)."
)
def export_command(
    *, adapters: tuple[Path, ...], out: Path, name: str, made_by: str, metrics: tuple[Path, ...]
) -> None:
    """Write what a run taught as a delta with manifest and card; several ADAPTERS are averaged."""
    from training.export import adapter_delta, averaged, export, head_commit  # noqa: PLC0415

    manifest = export(
        averaged([adapter_delta(folder) for folder in adapters]),
        out,
        name=name,
        data=("Twitter-GMNER v2.0, train split (7,000 tweets, text only)",),
        command=made_by,
        commit=head_commit(),
        metrics={path.stem: json.loads(path.read_text()) for path in metrics},
    )
    click.echo(f"{out}: {manifest.name} {manifest.digest}")


@train.command()
@click.argument("adapters", type=FOLDER, nargs=-1, required=True)
@click.option("--data", type=FOLDER, required=True, help="Folder of Twitter-GMNER (txt/, xml/).")
@click.option("--posts", default=1500, show_default=True, help="The first so many of the split.")
@click.option("--split", default="dev", show_default=True)
@click.option("--natural", is_flag=True, help="Tweets as people write them, not as the corpus splits them.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Where the figures go (JSON).")
def mner(*, adapters: tuple[Path, ...], data: Path, posts: int, split: str, natural: bool, out: Path) -> None:
    """Measure the MNER F1 of an adapter (several are averaged) on tweets, text alone."""
    from sake_model.checkpoint.delta import apply_delta  # noqa: PLC0415
    from sake_model.checkpoint.graft import bare_graft  # noqa: PLC0415
    from training.data.tweet_form import natural_form  # noqa: PLC0415
    from training.data.twitter import read_twitter  # noqa: PLC0415
    from training.export import adapter_delta, averaged  # noqa: PLC0415
    from training.mner import measure  # noqa: PLC0415

    model, tokenizer = bare_graft()
    apply_delta(model, averaged([adapter_delta(folder) for folder in adapters]))
    chosen = list(islice(read_twitter(data, split), posts))
    if natural:
        chosen = [natural_form(post) for post in chosen]
    figures = measure(model, tokenizer, chosen, out)
    click.echo(json.dumps(figures, indent=1))


@train.command()
@click.option(
    "--assets", type=FOLDER, required=True, help="Folder of the mark archives; they are fetched into it."
)
@click.option("--out", type=FOLDER, required=True, help="Run folder; an interrupted run there goes on.")
@click.option("--photos", type=FOLDER, help="Folder of JPEG photos to compose on; drawn backgrounds without.")
@click.option("--steps", default=4000, show_default=True)
@click.option("--batch-size", default=8, show_default=True)
@click.option("--loader-workers", default=1, show_default=True, help="Processes that compose pictures.")
@click.option("--seed", default=1, show_default=True)
@click.option("--tiny", is_flag=True, help="The tiny random model: tries the path out.")
def vision(
    *,
    assets: Path,
    out: Path,
    photos: Path | None,
    steps: int,
    batch_size: int,
    loader_workers: int,
    seed: int,
    tiny: bool,
) -> None:
    """Teach the base model's vision tower to see marks, flags, tags and posters, and where they are."""
    from sake_model.checkpoint.graft import bare_graft  # noqa: PLC0415
    from training.base import PICTURES, tiny_base  # noqa: PLC0415
    from training.synthetic.marks import fetched_marks  # noqa: PLC0415
    from training.synthetic.posts import Composer  # noqa: PLC0415
    from training.vision.run import VisionPlan, run_vision  # noqa: PLC0415

    grounds = tuple(sorted(photos.glob("*.jpg"))) if photos else ()
    figures = run_vision(
        tiny_base if tiny else bare_graft,
        composer=Composer(fetched_marks(assets, "train"), "train", seed, grounds),
        held_out=Composer(fetched_marks(assets, "held_out"), "held_out", seed, grounds),
        limits=PICTURES,
        plan=VisionPlan(steps=steps, batch_size=batch_size, loader_workers=loader_workers, seed=seed),
        out=out,
    )
    click.echo(json.dumps(figures, indent=1))


if __name__ == "__main__":
    train()
