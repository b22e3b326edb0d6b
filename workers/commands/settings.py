"""`sake settings`: every setting, its value in force, and where that comes from."""

from __future__ import annotations

import click
import orjson
from rich.console import Console
from rich.table import Table

from workers.settings import Settings, load_settings, source_of, value_of
from workers.settings_fields import Leaf, leaves_of, unit_of

__all__ = ["markdown", "rows", "settings"]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print the reference page: defaults only.")
def settings(as_json: bool, as_markdown: bool) -> None:
    """Print every setting and where it comes from."""
    if as_markdown:
        click.echo(markdown(leaves_of(Settings)))
        return
    found = rows(load_settings())
    if as_json:
        click.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("variable", "value", "from", "unit"):
        table.add_column(name, no_wrap=name == "variable")
    table.add_column("what it is", overflow="fold")
    for row in found:
        origin = (
            ""
            if row["source"] == "default"
            else ("env" if row["source"] == row["variable"] else row["source"])
        )
        table.add_row(row["variable"], row["value"], origin, row["unit"], row["doc"])
    Console(width=None if Console().is_terminal else 160).print(table)


def rows(loaded: Settings) -> list[dict[str, str]]:
    """One row a setting, in the order of the source. Secrets are not shown."""
    return [
        {
            "variable": leaf.variable,
            "key": leaf.key,
            "value": shown(leaf, value_of(loaded, leaf)),
            "source": source_of(leaf),
            "unit": unit_of(leaf),
            "doc": leaf.doc,
        }
        for leaf in leaves_of(Settings)
    ]


def shown(leaf: Leaf, value: object) -> str:
    """A value as a person would write it into the environment; `(unset)` and `(set)` for the rest."""
    if value in (None, "", ()):
        return "(unset)"
    if leaf.is_secret:
        return "(set)"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list | frozenset):
        return ",".join(str(part) for part in value)
    return str(value)


def markdown(leaves: tuple[Leaf, ...]) -> str:
    """The reference page: one table a group, defaults only, the same wherever it is made."""
    lines = ["# Settings", "", "Made by `sake settings --markdown`. Environment first, then the TOML file."]
    group: str | None = None
    for leaf in leaves:
        here = leaf.path[0] if len(leaf.path) > 1 else ""
        if here != group:
            group = here
            title = f"## `[{here}]`" if here else "## General"
            lines += ["", title, "", "| variable | default | unit | what it is |", "|---|---|---|---|"]
        cells = (f"`{leaf.variable}`", shown(leaf, leaf.default), unit_of(leaf), leaf.doc)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)
