"""The commands that speak to a broker, called as a person or a script calls them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest
from support.kafka import Kafka
from support.screen_records import entity, letter, recognition

from schemas.codec import encode
from workers import cli
from workers.replaying.sending import open_producer

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def at_the_broker(kafka: Kafka, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SAKE_KAFKA_BOOTSTRAP_SERVERS", kafka.connection.bootstrap_servers)
    monkeypatch.setenv("SAKE_TOPICS_PREFIX", kafka.names.posts.removesuffix(".posts"))
    monkeypatch.setenv("SAKE_WORKER_GROUP", kafka.group)
    monkeypatch.setenv("SAKE_TOPICS_PARTITIONS", "3")
    monkeypatch.chdir(tmp_path)


async def sake(*arguments: str) -> int:
    """The command's exit code; beside the test's own loop, as commands have theirs."""
    return await asyncio.to_thread(cli.run, arguments)


async def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    """The JSON that the command prints."""
    assert await sake(*arguments, "--json") == 0
    return orjson.loads(capsys.readouterr().out)


async def test_topics_are_made_once(kafka: Kafka, capsys: pytest.CaptureFixture[str]) -> None:
    assert await sake("topics", "create") == 0
    assert f"{kafka.names.posts}  made" in capsys.readouterr().out
    assert await sake("topics", "create") == 0
    assert f"{kafka.names.posts}  was there" in capsys.readouterr().out


async def test_replayed_posts_are_seen_as_lag(kafka: Kafka, capsys: pytest.CaptureFixture[str]) -> None:
    await sake("topics", "create")
    Path("posts.jsonl").write_text('{"id": "a", "text": "x"}\n{"id": "b", "text": "y"}\nnot json\n')
    capsys.readouterr()
    report = await told(capsys, "replay", "posts.jsonl")
    assert (report["topic"], report["posts"]) == (kafka.names.posts, 3)
    rows = await told(capsys, "topics", "describe", kafka.names.posts)
    assert len(rows) == 3
    assert sum(row["offsets"] for row in rows) == sum(row["lag"] for row in rows) == 3
    listed = {row["topic"]: row for row in await told(capsys, "topics", "list")}
    assert listed[kafka.names.posts]["offsets"] == 3
    assert set(listed) == set(kafka.names.all)


async def test_replay_goes_to_another_topic_and_stops_at_a_limit(
    kafka: Kafka, capsys: pytest.CaptureFixture[str]
) -> None:
    await sake("topics", "create")
    capsys.readouterr()
    Path("posts.jsonl").write_text('{"id": "a", "text": "x"}\n' * 5)
    report = await told(capsys, "replay", "posts.jsonl", "--to", kafka.names.mentions, "--limit", "2")
    assert (report["topic"], report["posts"]) == (kafka.names.mentions, 2)
    assert len(await kafka.read(kafka.names.mentions)) == 2


async def test_evaluating_something_else_than_recognitions_is_one_readable_line(
    kafka: Kafka, capfd: pytest.CaptureFixture[str]
) -> None:
    await sake("topics", "create")
    Path("posts.jsonl").write_text('{"id": "a", "text": "x"}\n' * 5)
    await sake("replay", "posts.jsonl")
    Path("dev.txt").write_text("IMGID:1\nOslo\tB-LOC\n")
    capfd.readouterr()
    assert await sake("evaluate", "--gold", "dev.txt", "--predictions", kafka.names.posts) == 2
    told = capfd.readouterr().err.strip()
    assert "no recognition" in told
    assert "a topic of them such as sake.recognitions" in told
    assert "\n" not in told


async def test_a_replay_of_nothing_that_is_there_shows_no_bar(
    kafka: Kafka, capfd: pytest.CaptureFixture[str]
) -> None:
    assert await sake("replay", f"{kafka.names.posts}z", "--to", "elsewhere") == 2
    assert capfd.readouterr().err.startswith("sake: topics missing")


async def test_dead_letters_go_back_to_work_as_they_were(
    kafka: Kafka, capsys: pytest.CaptureFixture[str]
) -> None:
    await sake("topics", "create")
    capsys.readouterr()
    dead = letter()
    headers = [("mine", b"kept"), *dead.kafka_headers()]
    async with open_producer(kafka.connection) as producer:
        await producer.send_and_wait(kafka.names.dead_letters, value=b"{", key=b"p9", headers=headers)
    report = await told(capsys, "replay", kafka.names.dead_letters)
    assert report["posts"] == 1
    (record,) = await kafka.read(kafka.names.posts)
    assert (record.key, record.value, record.headers) == (b"p9", b"{", (("mine", b"kept"),))


@pytest.mark.parametrize("rate", ["0", "-3", "nan", "inf", "fast"])
async def test_a_rate_that_is_none_is_refused(rate: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("posts.jsonl").write_text('{"id": "a", "text": "x"}\n')
    assert await sake("replay", "posts.jsonl", "--rate", rate) == 2
    assert f"--rate {rate}: give 1x, 10x, … times as fast as they came" in capsys.readouterr().err


async def test_recognitions_are_scored_the_last_of_each_post(
    kafka: Kafka, capsys: pytest.CaptureFixture[str]
) -> None:
    await sake("topics", "create")
    capsys.readouterr()
    Path("txt").mkdir()
    Path("txt/dev.txt").write_text("IMGID:1\nAda\tB-PER\nsings\tO\n\nIMGID:2\nRome\tB-LOC\n")
    text = "Ada sings"
    wrong = recognition(entity(text, "sings"), post_id="1")
    right = recognition(entity(text, "Ada"), post_id="1")
    other = recognition(entity(text, "Ada"), post_id="not a tweet of dev")
    await produce(kafka, kafka.names.recognitions, [wrong, other, right])
    scores = await told(capsys, "evaluate", "--gold", ".")
    posts = scores["posts"]
    assert (posts["gold"], posts["recognised"], posts["missing"]) == (2, 1, 1)
    assert (posts["extra"], posts["repeated"]) == (1, 1)
    counted = [scores["mner"][name] for name in ("right", "predicted", "gold")]
    assert counted == [1, 1, 2]


async def produce(kafka: Kafka, topic: str, recognitions: list[Any]) -> None:
    async with open_producer(kafka.connection) as producer:
        for each in recognitions:
            await producer.send_and_wait(topic, value=encode(each), key=each.post_id.encode())


async def test_missing_topics_are_named_with_what_makes_them(
    kafka: Kafka, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("txt").mkdir()
    Path("txt/dev.txt").write_text("IMGID:1\nAda\tB-PER\n")
    assert await sake("evaluate", "--gold", ".") == 2
    assert "make them with `sake topics create`" in capsys.readouterr().err
    assert await sake("topics", "list") == 0
    assert "`sake topics create` makes them" in capsys.readouterr().out


async def test_without_a_broker_the_message_says_how_to_start_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SAKE_KAFKA_BOOTSTRAP_SERVERS", "")
    assert await sake("topics", "list") == 2
    assert "start one with `sake broker`" in capsys.readouterr().err
