"""`sake console`: what the workers find, as it comes out of the topics."""

from __future__ import annotations

from collections import OrderedDict
from contextlib import aclosing
from typing import Literal

import click
import orjson
from rich.console import Console

from schemas.codec import CodecError, decode_post, encode
from schemas.deadletters import DeadLetter
from schemas.posts import Post
from schemas.recognitions import Recognition
from workers.commands.running import run_until_stopped
from workers.demo.screen import dead_letter_lines, post_lines, unknown_post_lines
from workers.kafka_choice import kafka_connection, topic_names
from workers.outputs import follow, read_output
from workers.settings import Settings, load_settings
from workers.topics import check_topics

__all__ = ["console"]

# Texts that wait for their recognition: many times a worker's window.
REMEMBERED_POSTS = 10_000


@click.command()
@click.option("--from-start", is_flag=True, help="Show first what is on the topics already.")
@click.option("--limit", type=click.IntRange(min=1), help="Stop after this many records.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a record.")
def console(*, from_start: bool, limit: int | None, as_json: bool) -> None:
    """Watch what the workers find, as it comes out.

    Until Ctrl-C. Reads what is committed, joins no group, changes nothing.
    """
    settings = load_settings()
    start: Literal["earliest", "latest"] = "earliest" if from_start else "latest"
    run_until_stopped(watch(settings, Window(as_json=as_json), start, limit))


class Window:
    """Shows records; remembers posts until their recognition comes."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._console = Console()
        self._posts: OrderedDict[str, Post] = OrderedDict()
        self.shown = 0

    def remember(self, value: bytes | None) -> None:
        """Keeps a post's text; what is no post will come out as a dead letter."""
        try:
            post = decode_post(value)
        except CodecError:
            return
        self._posts[post.id] = Post(id=post.id, text=post.text)
        while len(self._posts) > REMEMBERED_POSTS:
            self._posts.popitem(last=False)

    def show(self, found: Recognition | DeadLetter) -> None:
        """One record, below those before it."""
        self.shown += 1
        if self._as_json:
            click.echo(as_json(found))
        elif isinstance(found, DeadLetter):
            self._console.print(dead_letter_lines(self.shown, found))
        else:
            post = self._posts.get(found.post_id)
            lines = post_lines(self.shown, post, found) if post else unknown_post_lines(self.shown, found)
            self._console.print(lines)


def as_json(found: Recognition | DeadLetter) -> bytes:
    """A recognition as it stands on the topic; of a dead letter the key and why it died."""
    if isinstance(found, Recognition):
        return encode(found)
    key = None if found.key is None else found.key.decode(errors="replace")
    why = found.why
    return orjson.dumps({"dead_letter": key, "reason": why.reason, "stage": why.stage, "fault": why.fault})


async def watch(
    settings: Settings, window: Window, start: Literal["earliest", "latest"], limit: int | None
) -> None:
    """Shows records until there are `limit` of them. Raises OperatorError, BrokerUnreachable."""
    connection, topics = kafka_connection(settings), topic_names(settings)
    names = (topics.posts, topics.recognitions, topics.dead_letters)
    partitions = await check_topics(connection, names)
    async with aclosing(follow(connection, names, partitions, start=start)) as records:
        async for record in records:
            if record is None:
                continue
            if record.topic == topics.posts:
                window.remember(record.value)
            else:
                window.show(read_output(record, topics))
            if limit is not None and window.shown >= limit:
                return
