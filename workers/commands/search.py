"""`sake search`: what the model would get for a query; and the local index."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack

import click
import orjson
from rich.console import Console
from rich.markup import escape

from sake_model.deadline import Deadline
from sake_model.search.index import build_index
from sake_model.search.interface import SearchOutcome, SearchRequest
from schemas.entities import Tool
from schemas.errors import OperatorError
from workers.search_choice import open_search
from workers.settings import Settings, load_settings

__all__ = ["search"]

TIMEOUT_S = 30.0


@click.command()
@click.argument("query", required=False)
@click.option("--images", is_flag=True, help="Search for pictures instead of text.")
@click.option("--build-index", "build", is_flag=True, help="Build the local index first, if it is not there.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; pictures only by their size.")
def search(*, query: str | None, images: bool, build: bool, as_json: bool) -> None:
    """Ask the search pool, or build its index."""
    if query is None and not build:
        raise click.UsageError("give a QUERY, or --build-index")
    settings = load_settings()
    if build:
        build_with_progress(settings)
    if query is None:
        return
    tool = Tool.IMAGE if images else Tool.TEXT
    started_s = time.monotonic()
    outcome = asyncio.run(ask(settings, SearchRequest(tool, query)))
    took_ms = (time.monotonic() - started_s) * 1e3
    if as_json:
        click.echo(as_record(outcome, took_ms))
    else:
        show(outcome, took_ms)


async def ask(settings: Settings, request: SearchRequest) -> SearchOutcome:
    """One request to the pool of the settings. Raises SearchUnavailable and OperatorError."""
    async with AsyncExitStack() as stack:
        pool = await open_search(settings, stack)
        if pool is None:
            raise OperatorError("searching is off: SAKE_SEARCH_PROVIDERS=none")
        return await pool.search(request, Deadline.after(TIMEOUT_S))


def as_record(outcome: SearchOutcome, took_ms: float) -> bytes:
    """The outcome as one JSON object."""
    results = [
        {
            "provider": result.provider,
            "title": result.title,
            "url": result.url,
            "snippet": result.snippet,
            "retrieved_at": result.retrieved_at,
            "picture_bytes": len(result.picture or b""),
            "attribution": result.attribution,
        }
        for result in outcome.results
    ]
    return orjson.dumps(
        {"provider": outcome.provider, "cached": outcome.cached, "ms": took_ms, "results": results}
    )


def show(outcome: SearchOutcome, took_ms: float) -> None:
    """The outcome for people."""
    console = Console()
    console.print(f"[dim]{outcome.provider}, {len(outcome.results)} results, {took_ms:.0f} ms[/]")
    for result in outcome.results:
        picture = f"  [dim]picture, {len(result.picture):,} bytes[/]" if result.picture else ""
        console.print(f"\n[bold]{escape(result.title)}[/]{picture}\n[blue]{escape(result.url)}[/]")
        console.print(escape(result.snippet))
        if result.attribution:
            console.print(f"[dim]{escape(result.attribution)}[/]")


def build_with_progress(settings: Settings) -> None:
    """Builds the index, telling what is in it. Raises OperatorError."""
    console = Console(stderr=True)
    with console.status("building the search index") as status:
        report = build_index(
            settings.home,
            progress=lambda source, rows: status.update(f"search index: {source}, {rows:,} rows"),
        )
    console.print(f"{report.path}: {sum(report.rows.values()):,} rows in {report.seconds:.1f} s")
    for source, reason in report.missing.items():
        console.print(f"[yellow]without {escape(source)}: {escape(reason)}[/]")
