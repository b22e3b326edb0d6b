"""`sake evaluate`: recognitions on a topic against gold, by the official scorer."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click
import orjson
from rich.console import Console
from rich.table import Table

from sake_model.scoring import Counts, Scores
from schemas.errors import OperatorError
from schemas.recognitions import Recognition
from workers.evaluation import Gold, score
from workers.gmner_folder import SPLITS, GmnerFolder
from workers.kafka_choice import kafka_connection, topic_names
from workers.outputs import last_recognitions
from workers.settings import Settings, load_settings
from workers.topics import check_topics

__all__ = ["evaluate"]


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--split", type=click.Choice(SPLITS), default="dev", show_default=True, help="Which gold.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def evaluate(*, folder: Path, split: str, as_json: bool) -> None:
    """Score the recognitions on the topic against gold.

    FOLDER is a Twitter-GMNER folder whose tweets were replayed. Of a tweet that was recognised
    several times the last recognition counts; tweets that were not recognised are not scored.
    """
    settings = load_settings()
    gold = {tweet.id: tweet.gold for tweet in GmnerFolder(folder).tweets(split)}
    if not gold:
        raise OperatorError(f"{folder} has no split {split}")
    scores, posts = score(asyncio.run(found_on_topic(settings)).values(), gold)
    if as_json:
        click.echo(
            orjson.dumps({"split": split, "posts": posts, "gold_posts": len(gold), **as_numbers(scores)})
        )
    else:
        show(scores, posts, gold, split)


async def found_on_topic(settings: Settings) -> dict[str, Recognition]:
    """The last recognition of each post that is on the topic now."""
    connection, topics = kafka_connection(settings), topic_names(settings)
    partitions = await check_topics(connection, (topics.recognitions,))
    return await last_recognitions(connection, topics, partitions)


def as_numbers(scores: Scores) -> dict[str, dict[str, float]]:
    """Precision, recall, F1 and the three counts of each task."""
    return {name: _numbers(counts) for name, counts in _tasks(scores)}


def _numbers(counts: Counts) -> dict[str, float]:
    return {
        "precision": counts.precision,
        "recall": counts.recall,
        "f1": counts.f1,
        "right": counts.right,
        "predicted": counts.predicted,
        "gold": counts.gold,
    }


def _tasks(scores: Scores) -> tuple[tuple[str, Counts], ...]:
    return (("gmner", scores.gmner), ("mner", scores.mner), ("eeg", scores.eeg))


def show(scores: Scores, posts: int, gold: Gold, split: str) -> None:
    """A table for people."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in ("", "precision", "recall", "F1", "right", "predicted", "gold"):
        table.add_column(head, justify="right" if head else "left")
    for name, counts in _tasks(scores):
        figures = (counts.precision, counts.recall, counts.f1)
        whole = (counts.right, counts.predicted, counts.gold)
        table.add_row(name.upper(), *(f"{each:.3f}" for each in figures), *map(str, whole))
    console = Console()
    console.print(f"{posts} of the {len(gold)} tweets of {split} were recognised", highlight=False)
    console.print(table)
