"""The command: quick, readable errors, stable exit codes, and only what is called is imported."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import click
import orjson
import pytest

from schemas.errors import NetworkError, OperatorError
from workers import cli


def test_help_lists_every_command_and_imports_none_of_them() -> None:
    code = (
        "import sys\n"
        "from workers.cli import run\n"
        "assert run(['--help']) == 0\n"
        "heavy = {'aiokafka', 'aiohttp', 'pydantic', 'PIL', 'rich.table', 'opentelemetry.sdk'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for name in cli.COMMANDS:
        assert f"\n  {name} " in done.stdout
    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_the_listed_help_is_the_commands_own(name: str) -> None:
    where, text = cli.COMMANDS[name]
    module, attribute = where.split(":")
    command = getattr(importlib.import_module(module), attribute)
    assert isinstance(command, click.Command)
    assert command.get_short_help_str(limit=100) == text


def test_a_wrong_call_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["no-such-command"]) == 2
    assert "No such command 'no-such-command'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OperatorError("set SAKE_X to 3"), 2),
        (NetworkError("no broker answers"), 1),
        (OSError(28, "disk full"), 1),
    ],
)
def test_an_error_is_one_readable_line(
    error: Exception, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fail_with(error, monkeypatch)
    assert cli.run(["fail"]) == code
    assert capsys.readouterr().err.splitlines() == [f"sake: {error}"]


def test_verbose_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(OperatorError("set SAKE_X to 3"), monkeypatch)
    with pytest.raises(OperatorError):
        cli.run(["--verbose", "fail"])


def test_a_fault_of_ours_is_never_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(KeyError("bug"), monkeypatch)
    with pytest.raises(KeyError):
        cli.run(["fail"])


def fail_with(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def fail() -> None:
        raise error

    monkeypatch.setattr(cli.LazyGroup, "get_command", lambda *_: fail)


def test_a_command_of_the_other_environment_says_where_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.other_environment("torch.nn", ["train", "sft"]) == (
        "this command needs torch, which only the model environment has: "
        "`make setup` builds it, then run `.venv-model/bin/sake train sft`"
    )
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/sake").touch()
    assert cli.other_environment("aiokafka", ["broker"]) == (
        "this command needs aiokafka, which only the stream environment has: run `.venv/bin/sake broker`"
    )


def test_settings_as_json_is_json(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAKE_TOPICS_PREFIX", "mine")
    assert cli.run(["settings", "--json"]) == 0
    rows = orjson.loads(capsys.readouterr().out)
    prefix = next(row for row in rows if row["variable"] == "SAKE_TOPICS_PREFIX")
    assert (prefix["value"], prefix["source"]) == ("mine", "SAKE_TOPICS_PREFIX")
