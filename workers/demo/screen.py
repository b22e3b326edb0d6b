"""How a post looks on the screen: pure functions from records to rich renderables.

Colours and brackets say the same, so that a screen without colours (a log) reads as well.
"""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from schemas.deadletters import DeadLetter
from schemas.entities import GroundedEntity
from schemas.posts import Post
from schemas.recognitions import Recognition, RoundAction
from workers.demo.tally import Tally

__all__ = [
    "dead_letter_lines",
    "marked_text",
    "post_lines",
    "status_line",
    "summary_table",
]

# One colour a type, the same everywhere; types of other tasks share the last one.
COLOURS = {
    "PER": "bright_cyan",
    "LOC": "bright_green",
    "ORG": "bright_yellow",
    "OTHER": "bright_magenta",
    "person": "bright_cyan",
    "location": "bright_green",
    "building": "bright_green",
    "organization": "bright_yellow",
    "product": "bright_magenta",
    "art": "bright_magenta",
    "event": "bright_magenta",
}
OTHER_COLOUR = "bright_blue"
TEXT_INDENT = (0, 0, 0, 5)
ENTITY_INDENT = (0, 0, 0, 4)
MAX_TEXT_CHARS = 400
MAX_QUOTE_CHARS = 70
MAX_ID_CHARS = 60


def colour_of(type_: str) -> str:
    """The colour of an entity type."""
    return COLOURS.get(type_, OTHER_COLOUR)


def post_lines(number: int, post: Post, recognition: Recognition) -> RenderableType:
    """One recognised post: head, text with its entities marked, one line an entity, what went wrong."""
    text = Padding(marked_text(post.text, recognition.entities), TEXT_INDENT, expand=False)
    return Group(_head(number, recognition), text, *_findings(recognition), Text())


def _findings(recognition: Recognition) -> Iterator[RenderableType]:
    for entity in recognition.entities:
        yield Padding(_entity_line(entity), ENTITY_INDENT, expand=False)
    if recognition.outcome.reasons:
        reasons = ", ".join(reason.value for reason in recognition.outcome.reasons)
        missing = recognition.picture.missing if recognition.picture is not None else None
        yield Text(f"    degraded: {reasons}{f' ({missing})' if missing else ''}", style="yellow")


def _head(number: int, recognition: Recognition) -> Text:
    timings = recognition.timings
    facts = [f"{_way(recognition)}", f"{timings.total_ms:,.0f} ms"]
    if recognition.picture is not None and recognition.picture.missing is None:
        facts.append(f"picture {recognition.picture.width}×{recognition.picture.height}")
    if recognition.repairs:
        facts.append("repaired " + ", ".join(recognition.repairs))
    head = Text(f"{number:>4} ")
    head.append(shortened(recognition.post_id, MAX_ID_CHARS), style="bold")
    head.append("  " + "  ·  ".join(facts), style="dim")
    return head


def _way(recognition: Recognition) -> str:
    """The rounds in one phrase: `text search “Messi” (2) → answer`."""
    steps = []
    for turn in recognition.rounds:
        name = turn.action.value.replace("_", " ")
        if turn.action in (RoundAction.TEXT_SEARCH, RoundAction.IMAGE_SEARCH):
            asked = ", ".join(f"“{shortened(query, 40)}”" for query in turn.queries)
            name = f"{name} {asked} ({turn.results})"
        steps.append(name)
    return " → ".join(steps) or "no round"


def marked_text(text: str, entities: tuple[GroundedEntity, ...]) -> Text:
    """The post's text with every entity as `[exact TYPE]` in its colour."""
    shown = Text()
    at = 0
    for entity in sorted(entities, key=lambda each: each.span.start):
        span = entity.span
        shown.append(_one_line(text[at : span.start]))
        colour = colour_of(entity.type)
        shown.append("[", style=colour)
        shown.append(_one_line(span.exact), style=f"bold {colour}")
        shown.append(f" {entity.fine_type or entity.type}]", style=colour)
        at = span.end
    shown.append(_one_line(text[at:]))
    shown.truncate(MAX_TEXT_CHARS, overflow="ellipsis")
    return shown


def _entity_line(entity: GroundedEntity) -> Text:
    line = Text("• ")
    line.append(shortened(entity.span.exact, 40), style=f"bold {colour_of(entity.type)}")
    line.append(f"  {entity.type}{f'/{entity.fine_type}' if entity.fine_type else ''}")
    box = entity.box_px
    line.append(
        "  box " + " ".join(f"{side:.0f}" for side in box) if box else "  no box", style="" if box else "dim"
    )
    line.append(f"  {entity.knowledge.value}", style="dim")
    for evidence in entity.evidence[:1]:
        repeats = evidence.snippet.startswith(evidence.title)
        told = evidence.snippet if repeats else f"{evidence.title}: {evidence.snippet}"
        quote = shortened(told, MAX_QUOTE_CHARS)
        line.append(f"  ← {evidence.provider}: {quote}", style="italic")
    return line


def dead_letter_lines(number: int, letter: DeadLetter) -> RenderableType:
    """One dead letter: which post, why, at which stage."""
    name = letter.key.decode(errors="replace") if letter.key else "(no key)"
    head = Text(f"{number:>4} ")
    head.append(shortened(name, MAX_ID_CHARS), style="bold red")
    head.append(f"  dead letter: {letter.why.reason} at {letter.why.stage.value}", style="red")
    reason = Text(f"     {shortened(letter.why.exception_message, 160)}", style="dim")
    return Group(head, reason, Text())


def status_line(tally: Tally, seconds: float) -> str:
    """The run in one line, as markup."""
    rate = tally.finished / seconds if seconds > 0 else 0.0
    parts = [
        f"[bold]{tally.finished}/{tally.expected}[/] posts",
        f"{tally.entities} entities",
        f"{tally.grounded} boxes",
        f"{tally.searches.total()} searches",
        f"{tally.degraded_posts} degraded",
        f"{tally.dead_letters.total()} dead letters",
        f"{rate:.1f} posts/s",
    ]
    return "  ".join(parts)


def summary_table(tally: Tally, seconds: float, facts: dict[str, str]) -> Table:
    """The run at its end; `facts` are further rows (checkpoint, scores)."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column()
    rows = {
        "posts": f"{tally.finished} of {tally.expected} in {seconds:.1f} s, "
        f"{tally.finished / max(seconds, 1e-9):.1f} a second; "
        f"latency {tally.latency_ms(0.5):,.0f} ms median, {tally.latency_ms(0.95):,.0f} ms p95",
        "entities": f"{tally.entities}, {tally.grounded} with a box, {tally.with_evidence} with evidence",
        "pictures": f"{tally.pictures} fetched and decoded",
        "searches": f"{_counted(tally.searches)}; {tally.search_hits} results" if tally.searches else "none",
        "degraded": f"{tally.degraded_posts} posts: {_counted(tally.degraded)}" if tally.degraded else "none",
        "repairs": _counted(tally.repairs),
        "dead letters": _counted(tally.dead_letters),
        **facts,
    }
    for name, value in rows.items():
        table.add_row(name, escape(value))
    return table


def _counted(counts: dict[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count} {name}" for name, count in ordered) or "none"


def shortened(text: str, limit: int) -> str:
    """One line of at most `limit` characters."""
    line = _one_line(text)
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _one_line(text: str) -> str:
    """White space and control characters become single blanks: a post must not drive the terminal."""
    return "".join(" " if char.isspace() else char for char in text if char.isprintable() or char.isspace())
