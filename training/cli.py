"""`sake train …`: everything that makes a checkpoint. Runs in the model environment."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import islice
from pathlib import Path

import click

from training.awareness.command import compare, weigh
from training.rl.command import rl
from training.secot.command import index, secot
from training.synthetic.identity import Split
from training.tags.command import tags

__all__ = ["train"]

FOLDER = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path, dir_okay=False, exists=True)


@click.group()
def train() -> None:
    """Make a SAKE checkpoint."""


for command in (compare, index, rl, secot, tags, weigh):
    train.add_command(command)


@train.command()
@click.option(
    "--data", type=FOLDER, help="Folder of Twitter-GMNER (txt/, xml/): its train split, text alone."
)
@click.option("--grounded", type=FOLDER, multiple=True, help="Folder of posts.json and images/.")
@click.option("--secot", "led", type=FOLDER, multiple=True, help="Folder of `sake train secot`.")
@click.option(
    "--strangers", type=FOLDER, help="Folder with images/: some of the posts without a picture get one."
)
@click.option("--tower", type=FILE, help="Pretrained vision tower; it learns on.")
@click.option("--adapter", type=FOLDER, help="Adapter of an earlier stage; it learns on.")
@click.option("--out", type=FOLDER, required=True, help="Run folder; an interrupted run there goes on.")
@click.option("--steps", default=1300, show_default=True)
@click.option("--batch-size", default=16, show_default=True)
@click.option("--learning-rate", default=1e-3, show_default=True)
@click.option("--tower-learning-rate", default=2e-4, show_default=True, help="0 leaves the tower as it is.")
@click.option("--rank", default=32, show_default=True, help="LoRA rank.")
@click.option("--seed", default=1, show_default=True)
@click.option("--tiny", is_flag=True, help="The tiny random model: tries the path out.")
def sft(
    *,
    data: Path | None,
    grounded: tuple[Path, ...],
    led: tuple[Path, ...],
    strangers: Path | None,
    tower: Path | None,
    adapter: Path | None,
    out: Path,
    steps: int,
    batch_size: int,
    learning_rate: float,
    tower_learning_rate: float,
    rank: int,
    seed: int,
    tiny: bool,
) -> None:
    """Teach the base model to answer posts: LoRA, loss on its own turns only."""
    from sake_model.checkpoint.graft import bare_graft  # noqa: PLC0415
    from sake_model.corpora.twitter import read_twitter  # noqa: PLC0415
    from training.base import PICTURES, tiny_base  # noqa: PLC0415
    from training.sft.chats import read_chats  # noqa: PLC0415
    from training.sft.run import Lessons, SftPlan, SftStart, run_sft  # noqa: PLC0415
    from training.synthetic.store import read_folder  # noqa: PLC0415

    posts = [replace(post, picture=None) for post in read_twitter(data, "train")] if data else []
    posts += [post for folder in grounded for post in read_folder(folder)]
    pictures = sorted((strangers / "images").glob("*.jpg")) if strangers else []
    chats = [chat for folder in led for chat in read_chats(folder, PICTURES.factor_px)]
    if not (posts or chats):
        raise click.UsageError("nothing to learn from: give --data, --grounded or --secot")
    plan = SftPlan(
        steps=steps,
        batch_size=batch_size,
        learning_rate=learning_rate,
        tower_learning_rate=tower_learning_rate,
        lora_rank=rank,
        lora_alpha=rank,
        seed=seed,
        compiled=not tiny,  # compiling takes longer than the tiny model saves
    )
    base = tiny_base if tiny else bare_graft
    lessons = Lessons(posts, chats, pictures)
    run_sft(base, lessons, PICTURES, plan=plan, start=SftStart(tower, adapter), out=out)


@train.command()
@click.option(
    "--secot", "led", type=FOLDER, multiple=True, required=True, help="Dialogues with image searches."
)
@click.option("--tower", type=FILE, required=True, help="Pretrained vision tower; it stays as it is.")
@click.option("--adapter", type=FOLDER, help="Adapter of an earlier stage; it learns on.")
@click.option("--out", type=FOLDER, required=True, help="Gets adapter/ and the tower.")
@click.option("--steps", default=700, show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--tiny", is_flag=True, help="The tiny random model: tries the path out.")
def match(
    *, led: tuple[Path, ...], tower: Path, adapter: Path | None, out: Path, steps: int, seed: int, tiny: bool
) -> None:
    """Teach the lowest layers to find what a reference picture shows, before `sft` teaches to answer."""
    from sake_model.checkpoint.graft import bare_graft  # noqa: PLC0415
    from training.base import PICTURES, tiny_base  # noqa: PLC0415
    from training.sft.chats import read_chats  # noqa: PLC0415
    from training.sft.matching import MatchPlan, run_matching  # noqa: PLC0415
    from training.sft.run import SftStart  # noqa: PLC0415

    run_matching(
        tiny_base if tiny else bare_graft,
        [chat for folder in led for chat in read_chats(folder, PICTURES.factor_px)],
        PICTURES,
        plan=MatchPlan(steps=steps, seed=seed),
        start=SftStart(tower, adapter),
        out=out,
    )


@train.command()
@click.option("--data", type=FOLDER, help="Folder of Twitter-GMNER (txt/, txt_fine/, xml/).")
@click.option("--fine", is_flag=True, help="Twitter-FMNERG's types of the same tweets.")
@click.option("--grounded", type=FOLDER, help="Folder of posts.json and images/ instead.")
def check(*, data: Path | None, fine: bool, grounded: Path | None) -> None:
    """Tell what a corpus holds and what is wrong with it; exit code 1 when something is."""
    from sake_model.corpora.twitter import read_twitter  # noqa: PLC0415
    from training.base import PICTURES  # noqa: PLC0415
    from training.data.validate import Findings, validate  # noqa: PLC0415
    from training.synthetic.findings import ComposedFindings, composed_findings  # noqa: PLC0415
    from training.synthetic.store import read_composed, read_folder, tells_looks  # noqa: PLC0415

    if (data is None) == (grounded is None):
        raise click.UsageError("give --data or --grounded")
    parts: dict[str, Findings | ComposedFindings] = {}
    if grounded is not None:
        parts["posts"] = validate(read_folder(grounded))
        if tells_looks(grounded):
            parts["composed"] = composed_findings(read_composed(grounded), PICTURES)
    if data is not None:
        parts = {split: validate(read_twitter(data, split, fine=fine)) for split in ("train", "dev")}
    click.echo(json.dumps({part: found.as_json() for part, found in parts.items()}, indent=1))
    if any(found.problems for found in parts.values()):
        raise SystemExit(1)


@train.command()
@click.option("--out", type=FOLDER, required=True, help="Gets a folder that transformers and vLLM load.")
@click.option("--tower", type=FILE, help="Pretrained vision tower; a random one without.")
@click.option("--tiny", is_flag=True, help="The tiny random model instead of the 138M graft.")
def base(*, out: Path, tower: Path | None, tiny: bool) -> None:
    """Write the base model that the other stages start from."""
    from training.base import GRAFT, TINY  # noqa: PLC0415
    from training.export import write_base  # noqa: PLC0415

    manifest = write_base(out, TINY if tiny else GRAFT, tower)
    click.echo(f"{out}: {manifest.name} {manifest.digest}")


@train.command()
@click.option("--assets", type=FOLDER, required=True, help="Folder of the archives; fetched into it.")
@click.option("--out", type=FOLDER, required=True, help="Gets posts.json and images/.")
@click.option("--count", default=5000, show_default=True)
@click.option("--split", type=click.Choice(["train", "held_out"]), default="train", show_default=True)
@click.option("--photos", type=FOLDER, help="Folder of JPEG photos to compose on; drawn backgrounds without.")
@click.option("--seed", default=1, show_default=True)
@click.option("--roll-call", is_flag=True, help="Posts that only call out what their picture shows.")
def compose(
    *, assets: Path, out: Path, count: int, split: Split, photos: Path | None, seed: int, roll_call: bool
) -> None:
    """Write posts with composed pictures and exact boxes."""
    from training.synthetic.marks import fetched_marks  # noqa: PLC0415
    from training.synthetic.posts import Composer  # noqa: PLC0415
    from training.synthetic.store import write_folder, write_roll_calls  # noqa: PLC0415

    grounds = tuple(sorted(photos.glob("*.jpg"))) if photos else ()
    write = write_roll_calls if roll_call else write_folder
    write(Composer(fetched_marks(assets, split), split, seed, grounds), count, out)


@train.command("export")
@click.argument("adapters", type=FOLDER, nargs=-1, required=True)
@click.option("--out", type=FOLDER, help="Folder to write.  [training/checkpoints/default without --whole]")
@click.option("--tower", type=FILE, help="The trained vision tower of the run.")
@click.option("--name", default="sake-138m", show_default=True)
@click.option("--command", "made_by", default="", help="The command that trained it, for the card.")
@click.option("--data", multiple=True, help="What it was trained on, one sentence a source, for the card.")
@click.option(
    "--metrics", type=click.Path(path_type=Path, exists=True), multiple=True, help="Figures (JSON)."
)
@click.option("--whole", is_flag=True, help="The whole model: a new folder that transformers and vLLM load.")
@click.option("--tiny", is_flag=True, help="Of the tiny random model, with --whole.")
def export_command(
    *,
    adapters: tuple[Path, ...],
    out: Path | None,
    tower: Path | None,
    name: str,
    made_by: str,
    data: tuple[str, ...],
    metrics: tuple[Path, ...],
    whole: bool,
    tiny: bool,
) -> None:
    """Write what a run taught as a delta with manifest and card; several ADAPTERS are averaged."""
    from training.base import GRAFT, TINY  # noqa: PLC0415
    from training.export import (  # noqa: PLC0415
        About,
        adapter_delta,
        averaged,
        export,
        export_whole,
        head_commit,
        with_tower,
    )

    if tiny and not whole:
        raise click.UsageError("--tiny goes with --whole: set-up adds a delta to the 138M graft")
    if whole and out is None:
        raise click.UsageError("name the new folder: --out")
    figures = {path.stem: json.loads(path.read_text()) for path in metrics}
    about = About(name, data=data, command=made_by, commit=head_commit(), metrics=figures)
    delta = averaged([adapter_delta(folder) for folder in adapters])
    if tower:
        delta = with_tower(delta, tower)
    out = out or Path("training/checkpoints/default")
    manifest = (
        export_whole(delta, out, about, TINY if tiny else GRAFT) if whole else export(delta, out, about)
    )
    click.echo(f"{out}: {manifest.name} {manifest.digest}")


@train.command()
@click.argument("adapters", type=FOLDER, nargs=-1, required=True)
@click.option("--tower", type=FILE, help="The trained vision tower of the run.")
@click.option("--data", type=FOLDER, help="Folder of Twitter-GMNER (txt/, xml/): its dev split, text alone.")
@click.option("--grounded", type=FOLDER, help="Folder of posts.json and images/ instead.")
@click.option("--posts", default=1500, show_default=True, help="The first so many.")
@click.option("--natural", is_flag=True, help="Tweets as people write them, not as the corpus splits them.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Where the figures go (JSON).")
def measure(
    *,
    adapters: tuple[Path, ...],
    tower: Path | None,
    data: Path | None,
    grounded: Path | None,
    posts: int,
    natural: bool,
    out: Path,
) -> None:
    """MNER of an adapter (several are averaged) on dev tweets; GMNER and EEG where there are pictures."""
    from sake_model.checkpoint.delta import apply_delta  # noqa: PLC0415
    from sake_model.checkpoint.graft import bare_graft, build_processor  # noqa: PLC0415
    from sake_model.corpora.twitter import read_twitter  # noqa: PLC0415
    from training.base import PICTURES  # noqa: PLC0415
    from training.data.tweet_form import natural_form  # noqa: PLC0415
    from training.evaluate import Reader, answer_all  # noqa: PLC0415
    from training.export import adapter_delta, averaged, with_tower  # noqa: PLC0415
    from training.synthetic.store import read_folder  # noqa: PLC0415

    if (data is None) == (grounded is None):
        raise click.UsageError("give --data or --grounded")
    chosen = read_folder(grounded)[:posts] if grounded else []
    if data is not None:
        chosen = [replace(post, picture=None) for post in islice(read_twitter(data, "dev"), posts)]
    if natural:
        chosen = [natural_form(post) for post in chosen]
    model, tokenizer = bare_graft()
    delta = averaged([adapter_delta(folder) for folder in adapters])
    apply_delta(model, with_tower(delta, tower) if tower else delta)
    processor = build_processor(tokenizer, min_pixels=PICTURES.min_pixels, max_pixels=PICTURES.max_pixels)
    figures = answer_all(Reader(model, tokenizer, processor.image_processor, PICTURES), chosen, out)
    click.echo(json.dumps(figures, indent=1))


@train.command()
@click.option("--assets", type=FOLDER, required=True, help="Folder of the archives; fetched into it.")
@click.option("--out", type=FOLDER, required=True, help="Run folder; an interrupted run there goes on.")
@click.option("--tower", type=FILE, help="Tower of an earlier run; it learns on.")
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
    tower: Path | None,
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
        start=tower,
    )
    click.echo(json.dumps(figures, indent=1))


if __name__ == "__main__":
    train()
