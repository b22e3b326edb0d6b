"""`sake mentions`: a watch list looked over, and what a webhook refused sent again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click
import orjson

from schemas.errors import OperatorError
from workers.commands.running import stop_requested
from workers.kafka_choice import kafka_connection, topic_names
from workers.settings import Settings, load_settings

__all__ = ["mentions"]


@click.group()
def mentions() -> None:
    """Look a watch list over; send again what a webhook refused."""


@mentions.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
def check(*, file: Path | None) -> None:
    """Say what a watch list watches, or each thing that is wrong with it.

    FILE is the watch list; that of the settings unless given.
    """
    from workers.mentions.watching import WatchedFile  # noqa: PLC0415 - what it needs is slow to import

    path = file or load_settings().mentions.watch_list
    brands = WatchedFile(path).watch_list.brands
    for brand in brands:
        names = ", ".join((brand.name, *brand.aliases))
        click.echo(f"{names}  ({', '.join(brand.types)}{', only in sight' if brand.must_be_visible else ''})")
    click.echo(f"{path}: {len(brands)} brands, nothing wrong")


@mentions.command()
@click.option("--again", is_flag=True, help="Also those that were sent again before.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def resend(*, again: bool, as_json: bool) -> int:
    """Send the webhook what it refused before: the mentions among the mentions' dead letters.

    Each goes under the id that it had. What is refused again stays on its topic; a receiver that is down
    ends this, and the same command goes on.
    """
    told = asyncio.run(sent_again(load_settings(), again=again))
    if as_json:
        click.echo(orjson.dumps(told))
    else:
        click.echo(sentence(told))
    return 1 if told["left"] else 0


async def sent_again(settings: Settings, *, again: bool) -> dict[str, object]:
    """Runs it until it is done or stopped; what came of it. Raises OperatorError."""
    from workers.mentions.resending import resend as resend_letters  # noqa: PLC0415
    from workers.mentions.webhook_config import webhook_config  # noqa: PLC0415

    webhook = webhook_config(settings.mentions.webhook)
    if webhook is None:
        raise OperatorError("no webhook is named; set SAKE_MENTIONS_WEBHOOK_URL and its signing key")
    stop = asyncio.Event()
    asked = asyncio.ensure_future(stop_requested())
    asked.add_done_callback(lambda _: stop.set())
    try:
        report = await resend_letters(
            kafka_connection(settings),
            topic_names(settings),
            webhook,
            group=f"{settings.mentions.group}-webhook-resend",
            again=again,
            stop=stop,
        )
    finally:
        asked.cancel()
    return {
        "sent": report.sent,
        "refused": dict(report.refused),
        "others": report.others,
        "left": report.left,
        "trouble": report.trouble,
    }


def sentence(told: dict[str, object]) -> str:
    """For people."""
    text = f"{told['sent']} sent"
    if isinstance(told["refused"], dict) and told["refused"]:
        text += "; refused again: " + ", ".join(f"{count} {why}" for why, count in told["refused"].items())
        text += ", which --again takes"
    elif not told["sent"] and not told["left"]:
        text += "; nothing was refused since (--again takes what was sent again before, too)"
    if told["others"]:
        text += f"; {told['others']} passed over, which are no mentions that a webhook refused"
    if told["left"]:
        down = f" (the receiver is down: {told['trouble']})" if told["trouble"] else ""
        text += f"; {told['left']} left{down}, which the same command takes"
    return text
