"""The `sake` command.

Each subcommand lives in its own module and is imported only when it is called, so that
`sake --help` is quick and no command asks for what another one needs. Other packages add theirs
through the entry-point group `sake.commands`.

Exit codes: 0 well, 1 something went wrong, 2 the call, a setting or the installation is wrong,
130 interrupted.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import logging
import sys
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import click

from schemas.errors import OperatorError, SakeError

__all__ = ["main", "sake"]

ENTRY_POINTS = "sake.commands"

# name: (where it is, what it does). The help is repeated here so that listing imports nothing;
# a test holds both equal.
COMMANDS = {
    "demo": ("workers.commands.demo:demo", "Watch posts go through the whole system."),
    "broker": ("workers.commands.broker:broker", "Run the embedded Kafka broker."),
    "topics": ("workers.commands.topics:topics", "Create, list and describe the topics."),
    "engine": ("workers.commands.engine:engine", "Run a model server under supervision."),
    "worker": ("workers.commands.worker:worker", "Run a stream worker."),
    "replay": ("workers.commands.replay:replay", "Put posts from a file or a topic onto a topic."),
    "mentions": (
        "workers.commands.mentions:mentions",
        "Look a watch list over; send again what a webhook refused.",
    ),
    "console": ("workers.commands.console:console", "Watch the stream on a page in your browser."),
    "evaluate": ("workers.commands.evaluate:evaluate", "Score recognitions against gold."),
    "plan": ("workers.commands.plan:plan", "Tell what a stream of posts takes."),
    "search": ("workers.commands.search:search", "Ask the search pool, or build its index."),
    "settings": ("workers.commands.settings:settings", "Print every setting and where it comes from."),
}

# Packages that only one of the two environments has (pyproject.toml, extras), by import name.
STREAM_ONLY = frozenset({"aiokafka", "faust", "noida_db", "prometheus_client"})
MODEL_ONLY = frozenset({"torch", "transformers", "vllm", "trl", "peft", "datasets", "safetensors"})


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The commands of this package in reading order, then those of others."""
        return [*COMMANDS, *sorted(point.name for point in plugged_in())]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Imports one command."""
        if cmd_name in COMMANDS:
            module, attribute = COMMANDS[cmd_name][0].split(":")
            loaded: Any = getattr(importlib.import_module(module), attribute)
        else:
            point = next((point for point in plugged_in() if point.name == cmd_name), None)
            if point is None:
                return None
            loaded = point.load()
        assert isinstance(loaded, click.Command)
        return loaded

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Lists the commands without importing any."""
        rows = [(name, text) for name, (_, text) in COMMANDS.items()]
        rows += [(point.name, first_line_of(point)) for point in plugged_in()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def plugged_in() -> tuple[EntryPoint, ...]:
    """The commands of other packages."""
    return tuple(point for point in entry_points(group=ENTRY_POINTS) if point.name not in COMMANDS)


def first_line_of(point: EntryPoint) -> str:
    """The first line of a command's docstring, read and not run: what it imports may be heavy."""
    spec = importlib.util.find_spec(point.module)
    if spec is None or spec.origin is None:
        return ""
    for node in ast.parse(Path(spec.origin).read_bytes()).body:
        if isinstance(node, ast.FunctionDef) and node.name == point.attr:
            return (ast.get_docstring(node) or "").split("\n", maxsplit=1)[0]
    return ""


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--verbose", is_flag=True, help="Show tracebacks, and debug lines in the log.")
@click.version_option(package_name="sake-stream", message="%(version)s")
@click.pass_context
def sake(ctx: click.Context, verbose: bool) -> None:
    """Tells, live, who and what posts are about, and where in the picture it is."""
    ctx.obj = {"verbose": verbose}


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command and leaves the process with its exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    sys.exit(run(arguments))


def run(arguments: Sequence[str]) -> int:
    """Runs the command; the exit code. An error is one readable line, unless --verbose."""
    verbose = "--verbose" in arguments
    # A command that keeps no log says itself what is wrong; aiokafka would say it again before.
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())
    try:
        result = sake.main(list(arguments), prog_name="sake", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.exceptions.Abort:
        click.echo("interrupted", err=True)
        return 130
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (SakeError, OSError, ModuleNotFoundError) as error:
        if verbose:
            raise
        message, code = explain(error, arguments)
        click.echo(f"sake: {message}", err=True)
        return code


def explain(error: Exception, arguments: Sequence[str]) -> tuple[str, int]:
    """What to print for an error, and the exit code."""
    if isinstance(error, ModuleNotFoundError):
        return other_environment(error.name or "", arguments), 2
    return f"{error}" or type(error).__name__, 2 if isinstance(error, OperatorError) else 1


def other_environment(module: str, arguments: Sequence[str]) -> str:
    """Says which environment has a missing module, and how to call the command there."""
    root = module.split(".", maxsplit=1)[0]
    if root in MODEL_ONLY:
        name, folder = "model", Path(".venv-model")
    elif root in STREAM_ONLY:
        name, folder = "stream", Path(".venv")
    else:
        return f"the Python package {root} is missing; `make setup` installs what this project needs"
    command = f"{folder}/bin/sake {' '.join(arguments)}"
    there = (
        f"run `{command}`"
        if (folder / "bin/sake").exists()
        else f"`make setup` builds it, then run `{command}`"
    )
    return f"this command needs {root}, which only the {name} environment has: {there}"
