"""A run: what is written, how it goes on, what is kept aside; and a run's pieces on a real index."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from support.images import encoded, quadrants
from support.secot import MODEL, Scripted, search_of

from sake_model.engine.interface import EngineRejected
from sake_model.search.index.build import Source, build_index
from schemas.errors import OperatorError
from training.appendlog import read_records
from training.secot.checks import Fault
from training.secot.command import secot
from training.secot.records import REJECTED_FILE, TRAJECTORIES_FILE, Rejected, Trajectory
from training.secot.run import SecotPlan, Writing, run_secot
from training.secot.writers import RuleWriter
from training.synthetic.world import World, world_rows
from training.tags.construction import construct_tags
from training.tags.records import TAGS_FILE, EntityTags, PostTags

RULES = Writing(RuleWriter(MODEL), search_of(), MODEL)
PLAN = SecotPlan(closing_share=0.0)


def post(post_id: str, hit: int, picture: str = "") -> PostTags:
    entity = EntityTags(start=0, end=6, phrase="Kordal", type="ORG", hit_text=hit, hit_image=6)
    return PostTags(id=post_id, text="Kordal it is", picture=picture, entities=(entity,), samples=6)


async def test_known_unknown_and_ambiguous_posts_go_their_ways(tmp_path):
    summary = await run_secot([post("a", 0), post("b", 6), post("c", 3)], RULES, PLAN, tmp_path)
    assert summary.kept == {"text_search": 1, "none": 1}
    assert (summary.left_to_rl, summary.rejected_in_all) == (1, 0)
    assert json.loads((tmp_path / "summary.json").read_text()) == summary.as_json
    searched, known = sorted(read_records(tmp_path / TRAJECTORIES_FILE, Trajectory), key=lambda t: t.id)
    assert [message.role for message in searched.messages] == ["user", "assistant", "user", "assistant"]
    assert searched.messages[2].content == (
        "<information>\nKordal\n- Kordal: Kordal is a Norwegian software company.\n</information>\n"
        "Look or answer."
    )
    assert (searched.text_queries, known.text_queries) == (("Kordal",), ())


async def test_some_answers_are_asked_for_with_the_closing_prompt(tmp_path):
    plan = SecotPlan(closing_share=1.0)
    summary = await run_secot([post("a", 0), post("b", 6)], RULES, plan, tmp_path)
    assert summary.closing == 2
    prompts = {
        done.id: [message.content for message in done.messages if message.role == "user"]
        for done in read_records(tmp_path / TRAJECTORIES_FILE, Trajectory)
    }
    assert prompts["b"] == ["Kordal it is"]
    assert prompts["b#closing"] == ["Kordal it is\nAnswer."]
    assert prompts["a#closing"][0] == "Kordal it is"
    assert prompts["a#closing"][1].endswith("</information>\nAnswer.")


async def test_a_run_goes_on_where_it_was_killed(tmp_path):
    await run_secot([post("a", 0)], RULES, PLAN, tmp_path)
    with (tmp_path / TRAJECTORIES_FILE).open("ab") as file:
        file.write(b'{"id": "b", "mess')
    await run_secot([post("a", 0), post("b", 6)], RULES, PLAN, tmp_path)
    assert [done.id for done in read_records(tmp_path / TRAJECTORIES_FILE, Trajectory)] == ["a", "b"]


async def test_another_writer_does_not_go_on_in_the_same_folder(tmp_path):
    await run_secot([post("a", 0)], RULES, PLAN, tmp_path)
    other = Writing(RuleWriter(MODEL, seed=2), search_of(), MODEL)
    with pytest.raises(OperatorError, match="writer was 'rules-1', is 'rules-2'"):
        await run_secot([post("a", 0)], other, PLAN, tmp_path)


async def test_what_is_rejected_is_kept_aside_with_its_faults_and_not_tried_again(tmp_path):
    wrong = '<reason>Sure.</reason><answer>[{"entity": "Kordal", "type": "LOC", "box2d": []}]</answer>'
    writing = Writing(Scripted(wrong), search_of(), MODEL)
    summary = await run_secot([post("a", 0)], writing, PLAN, tmp_path)
    assert summary.rejected == {Fault.ANSWER: 1, Fault.SEARCH_MISSING: 1}
    (rejected,) = read_records(tmp_path / REJECTED_FILE, Rejected)
    assert rejected.trajectory is not None
    assert rejected.trajectory.messages[-1].content == wrong
    assert rejected.told == "Kordal (ORG): text_search"
    again = await run_secot([post("a", 0)], Writing(Scripted(), search_of(), MODEL), PLAN, tmp_path)
    assert again == summary


async def test_a_post_that_the_teacher_refuses_is_rejected(tmp_path):
    class Refusing:
        name = "refusing"

        async def turn(self, case, dialogue):
            raise EngineRejected("too rude")

    summary = await run_secot([post("a", 0)], Writing(Refusing(), search_of(), MODEL), PLAN, tmp_path)
    assert summary.rejected == {Fault.REFUSED: 1}


async def test_pictures_stand_beside_the_file_as_the_model_sees_them(tmp_path):
    picture = tmp_path / "1.png"
    picture.write_bytes(encoded(quadrants()))
    await run_secot([post("a", 6, str(picture))], RULES, PLAN, tmp_path / "out")
    (done,) = read_records(tmp_path / "out" / TRAJECTORIES_FILE, Trajectory)
    image, text = done.messages[0].content
    assert text.text == "Kordal it is"
    assert (image.width % 28, image.height % 28) == (0, 0)
    assert (tmp_path / "out" / image.path).is_file()


async def test_a_picture_that_is_gone_is_said(tmp_path):
    with pytest.raises(OperatorError, match=r"gone\.png, the picture of a, cannot be read"):
        await run_secot([post("a", 6, str(tmp_path / "gone.png"))], RULES, PLAN, tmp_path)


@pytest.fixture(scope="module")
def world_home(tmp_path_factory):
    """A real index of the invented world, and the tags of forty of its posts."""
    home = tmp_path_factory.mktemp("home")
    world = World("train", 1)
    build_index(home, sources=(Source("world", None, lambda _: world_rows(world)),))
    construct_tags("train", 1, 40, home / "tags")
    return home


def run_command(home, out, *options: str) -> dict[str, object]:
    arguments = ["--tags", str(home / "tags"), "--out", str(out), "--prompts", "compact", "--home", str(home)]
    result = CliRunner().invoke(secot, [*arguments, *options], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_the_invented_world_needs_no_teacher(world_home, tmp_path):
    summary = run_command(world_home, tmp_path, "--closing-share", "0.5")
    assert summary["rejected"] == 0
    searched = {done.id: done for done in read_records(tmp_path / TRAJECTORIES_FILE, Trajectory)}
    for tagged in read_records(world_home / "tags" / TAGS_FILE, PostTags):
        unknown = tuple(entity.phrase for entity in tagged.entities if entity.hit_text == 0)
        assert searched[tagged.id].text_queries == unknown


def test_a_recorded_run_is_replayed_word_for_word_without_an_index(world_home, tmp_path):
    recording = tmp_path / "searches.jsonl"
    run_command(world_home, tmp_path / "first", "--record", str(recording))
    arguments = ("--replay", str(recording), "--home", str(tmp_path / "no index"))
    run_command(world_home, tmp_path / "second", *arguments)
    first, second = (
        sorted(read_records(tmp_path / run / TRAJECTORIES_FILE, Trajectory), key=lambda done: done.id)
        for run in ("first", "second")
    )
    assert first == second
