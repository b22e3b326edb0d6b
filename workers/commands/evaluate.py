"""`sake evaluate`: recognitions of a file or a topic against gold, one model or two side by side."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click
import orjson
from rich.console import Console

from sake_model.corpora.gold import GoldPost, Types, read_gold
from sake_model.scoring import bootstrap
from schemas.errors import OperatorError
from workers.evaluation.compared import side_by_side
from workers.evaluation.figures import figures_of, seen_names
from workers.evaluation.joined import Joined, ScorerName, join, known_types, scorer_of
from workers.evaluation.predictions import Predictions, read_predictions, read_topic
from workers.evaluation.prices import read_prices
from workers.evaluation.report.page import GALLERY_POSTS, page
from workers.evaluation.table import show
from workers.kafka_choice import kafka_connection, topic_names
from workers.settings import load_settings

__all__ = ["evaluate"]

PATH = click.Path(path_type=Path)
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
TOPIC = "topic:"


@click.command()
@click.option("--gold", "gold_path", type=PATH, required=True, help="Folder or file with what is right.")
@click.option("--predictions", help="File of recognitions, or topic; the recognitions' own unless given.")
@click.option("--against", help="A second model's file or topic, compared on the same posts.")
@click.option("--split", default="dev", show_default=True, help="Which part of a gold folder.")
@click.option(
    "--scorer",
    "scorer_name",
    type=click.Choice(["official", "sake"]),
    default="official",
    show_default=True,
    help="The data set's, or that of SAKE's authors for comparison with their figures.",
)
@click.option(
    "--types",
    type=click.Choice(["coarse", "fine"]),
    help="Where the gold has both (FMNERG); unless given: coarse of a folder with txt/, else fine.",
)
@click.option("--train", type=PATH, help="Gold of training: tells seen names from unseen ones.")
@click.option("--only-predicted", is_flag=True, help="Leave out posts that were not recognised.")
@click.option("--prices", type=FILE, help="TOML table of what tokens and queries cost.")
@click.option(
    "--resamples",
    type=click.IntRange(min=0),
    default=bootstrap.RESAMPLES,
    show_default=True,
    help="Draws of the bootstrap; 0 = no intervals.",
)
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write a report to this file.")
@click.option("--boxes", type=FOLDER, help="The gold's XML files; xml/ of the gold unless given.")
@click.option("--pictures", type=FOLDER, help="The posts' pictures; images/ of the gold unless given.")
@click.option(
    "--gallery",
    type=click.IntRange(min=0),
    default=GALLERY_POSTS,
    show_default=True,
    help="Posts in the report.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def evaluate(
    *,
    gold_path: Path,
    predictions: str | None,
    against: str | None,
    split: str,
    scorer_name: ScorerName,
    types: Types | None,
    train: Path | None,
    only_predicted: bool,
    prices: Path | None,
    resamples: int,
    html: Path | None,
    boxes: Path | None,
    pictures: Path | None,
    gallery: int,
    as_json: bool,
) -> None:
    """Score recognitions against gold.

    Gold is a Twitter-GMNER or -FMNERG folder (txt/, txt_fine/, xml/), one of its files, or SAKE's JSON.
    Predictions are recognitions as JSON lines, or a topic; of a post that was recognised several times
    the last one counts, and a post that was not counts as if nothing had been found in it.
    """
    gold = read_gold(gold_path, split, types=types, boxes=boxes, pictures=pictures)
    seen = None if train is None else seen_names(names_of(read_gold(train, "train", types=types)))
    scorer = scorer_of(scorer_name, known_types(gold))
    table = read_prices(prices) if prices is not None else None
    joined = [
        join(gold, opened(name), only_predicted=only_predicted)
        for name in ((predictions, against) if against is not None else (predictions,))
    ]
    for each in joined:
        refuse_strangers(each, gold, gold_path)
    report: dict[str, Any] = {
        "gold": str(gold_path),
        "split": split,
        "models": [
            {
                "name": each.name,
                "scorer": scorer_name,
                **figures_of(each, scorer, seen=seen, prices=table, resamples=resamples),
            }
            for each in joined
        ],
    }
    if against is not None and resamples:
        report["difference"] = side_by_side(joined[0], joined[1], scorer, resamples)
    if html is not None:
        html.write_text(page(report, joined, gallery), encoding="utf-8")
    if as_json:
        click.echo(orjson.dumps(flat(report)))
    else:
        show(report, Console())


def refuse_strangers(joined: Joined, gold: dict[str, GoldPost], gold_path: Path) -> None:
    """Raises OperatorError when all predictions are about other posts than this gold's."""
    if not joined.extra or any(post.found for post in joined.posts):
        return
    ids = f"its ids are like {joined.extra[0]!r}, those of the gold like {next(iter(gold), '')!r}"
    raise OperatorError(f"{joined.name} has no recognition of a post of {gold_path}: {ids}")


def flat(report: dict[str, Any]) -> dict[str, Any]:
    """For programs: the model's figures on top, those of the other one under `against`."""
    ours, *theirs = report["models"]
    rest = {name: value for name, value in report.items() if name != "models"}
    return {**rest, **ours, **({"against": theirs[0]} if theirs else {})}


def names_of(gold: dict[str, GoldPost]) -> list[str]:
    """Every phrase of the gold."""
    return [entity.phrase for post in gold.values() for entity in post.entities]


def opened(source: str | None) -> Predictions:
    """The recognitions of a file, where there is one of that name, or of a topic. Raises OperatorError."""
    if source is not None and not source.startswith(TOPIC):
        path = Path(source)
        if path.exists() and not path.is_dir():  # a pipe will do
            return read_predictions(path)
        if path.suffix in (".jsonl", ".json") or path.is_absolute() or path.is_dir():
            raise OperatorError(f"{source}: no such file of recognitions")
    settings = load_settings()
    topic = topic_names(settings).recognitions if source is None else source.removeprefix(TOPIC)
    return asyncio.run(read_topic(kafka_connection(settings), topic))
