"""`sake train weigh` and `sake train compare` from the options to the files, against a real chat server."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("matplotlib")
pytestmark = pytest.mark.model

from click.testing import CliRunner
from support.chat_server import ChatServer, served_in_a_thread

from sake_model.search.index.build import Source, build_index
from training.appendlog import read_records
from training.awareness.command import compare, weigh
from training.awareness.records import WEIGHED_FILE, Weighed
from training.synthetic.world import World, world_rows

SAYS = '<reason>Names: London.</reason><answer>[{"entity": "London", "type": "LOC", "box2d": []}]</answer>'
PNG = b"\x89PNG"
POSTS = 12


@pytest.fixture
def server():
    with served_in_a_thread(ChatServer(text=SAYS, key="k")) as chat:
        yield chat


@pytest.fixture
def home(tmp_path):
    world = Source("world", None, lambda _: world_rows(World("held_out", 1)))
    build_index(tmp_path / "home", sources=(world,), assets=tmp_path, offline=True)
    return tmp_path / "home"


def weighed(server, home, out) -> str:
    arguments = ["--world", str(POSTS), "--held-out", "--prompts", "compact", "--samples", "2"]
    arguments += ["--home", str(home), "--out", str(out), "--engine", server.url]
    result = CliRunner().invoke(weigh, arguments, env={"SAKE_ENGINE_KEY": "k"}, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_run_leaves_records_figures_and_plot_and_goes_on_when_called_again(server, home, tmp_path):
    out = tmp_path / "out"
    page = weighed(server, home, out)
    figures = json.loads((out / "figures.json").read_text())
    assert (figures["posts"], figures["plan"]["samples"]) == (POSTS, 2)
    assert (out / "risk_coverage.png").read_bytes().startswith(PNG)
    records = read_records(out / WEIGHED_FILE, Weighed)
    named = sum("London" in record.text for record in records)
    # Each post: never, adaptive, two samples; always where there is a name to search.
    assert len(server.asked) == POSTS * 4 + named
    assert figures["policies"]["always"]["queries"]["text_search"] == named
    assert figures["decision"]["text"]["post"]["auroc"] in ([0.5, 0.5, 0.5], None)
    assert "adaptive - never" in page
    assert weighed(server, home, out) == page
    assert len(server.asked) == POSTS * 4 + named


def test_two_runs_are_compared(server, home, tmp_path):
    for name in ("a", "b"):
        weighed(server, home, tmp_path / name)
    out = tmp_path / "compared.json"
    arguments = [str(tmp_path / "a"), str(tmp_path / "b"), "--out", str(out)]
    result = CliRunner().invoke(compare, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert f"{POSTS} posts in both" in result.stdout
    assert json.loads(out.read_text())["policies"]["adaptive"]["mner"] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--world", "1"], "name the model server"), (["--engine", "http://x"], "name posts")],
)
def test_what_is_missing_is_said(arguments, said, tmp_path):
    result = CliRunner().invoke(weigh, [*arguments, "--out", str(tmp_path)], env={"SAKE_ENGINE_URL": ""})
    assert result.exit_code == 2
    assert said in result.output
