"""What the pages of deploy/ name is there: files, topics, commands, settings; the reference can be built."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from workers.cli import COMMANDS, run
from workers.commands.worker import worker
from workers.topics import TopicNames

ROOT = Path(__file__).parents[2]
PAGES = ("architecture.md", "promises.md")
ROOMS = ("schemas", "sake_model", "workers", "training", "deploy", "tests")


def page(name: str) -> str:
    return (ROOT / "deploy" / name).read_text()


@pytest.mark.parametrize("name", PAGES)
def test_every_path_exists(name: str) -> None:
    named = {word for word in re.findall(r"`([^`\s]+)`", page(name)) if word.split("/")[0] in ROOMS}
    assert named
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_every_setting_exists(capsys: pytest.CaptureFixture[str]) -> None:
    run(["settings", "--json"])
    known = capsys.readouterr().out
    named = {setting for name in PAGES for setting in re.findall(r"SAKE_[A-Z_]+", page(name))}
    assert named
    assert [setting for setting in sorted(named) if f'"{setting}"' not in known] == []


def test_the_picture_has_every_topic_and_no_other() -> None:
    picture = page("architecture.md").split("```")[1].replace("<br/>", "")
    drawn = set(re.findall(r"\[\((sake\.[a-z.-]+)\)\]", picture))
    assert drawn == set(TopicNames.of().all)


def test_the_commands_in_the_picture_exist() -> None:
    picture = page("architecture.md").split("```")[1]
    for command, rest in re.findall(r"sake ([a-z]+)(?: (recognise|trends|mentions))?", picture):
        assert command in COMMANDS
        assert not rest or rest in worker.commands


def test_the_reference_is_built_from_the_code(tmp_path: Path) -> None:
    pytest.importorskip("pdoc")
    command = (sys.executable, "-m", "pdoc", "--no-show-source", "-o", str(tmp_path), "schemas")
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True)
    told = (tmp_path / "schemas" / "posts.html").read_text()
    assert 'id="Post"' in told
    assert 'id="Post.created_at"' in told
