"""Options that say which posts a run takes, shared by the commands that take any."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeVar

import click

from sake_model.corpora.labelled import LabelledPost
from training.sources import grounded_posts, twitter_posts, world_posts

__all__ = ["chosen_posts", "post_options"]

FOLDER = click.Path(path_type=Path, file_okay=False)
Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--twitter", type=FOLDER, help="Folder of Twitter-GMNER (txt/, xml/, images/)."),
    click.option("--split", default="train", show_default=True, help="Split of --twitter."),
    click.option("--fine", is_flag=True, help="Fine types of --twitter (txt_fine/)."),
    click.option("--as-split", is_flag=True, help="Tweets as the corpus splits them, not as people write."),
    click.option("--grounded", type=FOLDER, multiple=True, help="Folder of posts.json and images/."),
    click.option("--world", default=0, show_default=True, help="So many posts about the invented world."),
    click.option("--held-out", is_flag=True, help="--world: identities held out of training."),
    click.option("--seed", default=1, show_default=True, help="Of --world."),
    click.option("--each", type=int, help="At most so many posts of each source."),
    click.option("--posts", type=int, help="At most so many posts in all."),
)


def post_options(command: Command) -> Command:
    """Gives a command the options; it passes them on to `chosen_posts`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def chosen_posts(*, posts: int | None, each: int | None, **where: Any) -> Iterator[LabelledPost]:
    """The posts that the options name. Raises UsageError when they name none."""
    sources = [islice(source, each) for source in _sources(**where)]
    return islice(chain.from_iterable(sources), posts)


def _sources(
    *,
    twitter: Path | None,
    split: str,
    fine: bool,
    as_split: bool,
    grounded: tuple[Path, ...],
    world: int,
    held_out: bool,
    seed: int,
) -> Iterator[Iterator[LabelledPost]]:
    if not (twitter or grounded or world):
        raise click.UsageError("name posts: --twitter, --grounded or --world")
    if twitter:
        yield twitter_posts(twitter, split, natural=not as_split, fine=fine)
    for folder in grounded:
        yield grounded_posts(folder, natural=not as_split)
    yield world_posts("held_out" if held_out else "train", seed, world)
