"""`sake train tags` from the options to the plot, against a real chat server."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("matplotlib")
pytestmark = pytest.mark.model

from click.testing import CliRunner
from support.chat_server import ChatServer, served_in_a_thread

from training.appendlog import read_records
from training.tags.command import tags
from training.tags.records import TAGS_FILE, PostTags

TWEETS = "IMGID:1\nIn\tO\nOslo\tB-LOC\n\nIMGID:2\nAna\tB-PER\nin\tO\nOslo\tB-LOC\n"
SAYS = '<reason>Names: Oslo.</reason><answer>[{"entity": "Oslo", "type": "LOC", "box2d": []}]</answer>'
PNG = b"\x89PNG"


@pytest.fixture
def server():
    with served_in_a_thread(ChatServer(text=SAYS, key="k")) as chat:
        yield chat


@pytest.fixture
def tweets(tmp_path):
    (tmp_path / "data" / "txt").mkdir(parents=True)
    (tmp_path / "data" / "txt" / "train.txt").write_text(TWEETS)
    return tmp_path / "data"


def test_a_run_leaves_tags_summary_and_plot(server, tweets, tmp_path):
    out = tmp_path / "out"
    arguments = ["--twitter", str(tweets), "--prompts", "compact", "--out", str(out), "--engine", server.url]
    result = CliRunner().invoke(tags, arguments, env={"SAKE_ENGINE_KEY": "k"}, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == json.loads((out / "summary.json").read_text())
    assert json.loads(result.stdout)["tags"] == {"none": 2, "text": 1, "image": 0, "both": 0}
    assert (out / "distribution.png").read_bytes().startswith(PNG)
    assert len(server.asked) == 12
    first, second = sorted(read_records(out / TAGS_FILE, PostTags), key=lambda record: record.id)
    assert [entity.hit_text for entity in (*first.entities, *second.entities)] == [6, 0, 6]


def test_the_invented_world_is_tagged_without_a_server(tmp_path):
    arguments = ["--world", "20", "--by-construction", "--out", str(tmp_path)]
    result = CliRunner().invoke(tags, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["posts"] == 20
    assert (tmp_path / "distribution.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--world", "1"], "name the model server"), (["--engine", "http://x"], "name posts")],
)
def test_what_is_missing_is_said(arguments, said, tmp_path):
    result = CliRunner().invoke(tags, [*arguments, "--out", str(tmp_path)], env={"SAKE_ENGINE_URL": ""})
    assert result.exit_code == 2
    assert said in result.output
