"""The back-fill: its slices are the year, its own topics and group, and its commands do what they say."""

from __future__ import annotations

import asyncio
import itertools
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support.kafka import Kafka, running_kafka
from support.manifests import containers, of_kind, pods, rendered

from workers import cli
from workers.replaying.sending import open_producer
from workers.topics import TopicNames, create_topic, retention_of

pytest.importorskip("yaml", reason="make setup-deploy")


@pytest.fixture
async def kafka(tmp_path: Path) -> AsyncIterator[Kafka]:
    async with running_kafka(tmp_path / "broker") as one:
        yield one


def settings_of(overlay: str) -> dict[str, str]:
    configs = of_kind(rendered(overlay), "ConfigMap")
    (data,) = [each["data"] for name, each in configs.items() if name.startswith("sake-settings")]
    return dict(data)


def script_of(job: str) -> tuple[list[str], dict[str, str]]:
    """The command of a job, and what its container sets."""
    ((_, container),) = [each for each in containers(rendered("backfill")) if each[0] == job]
    assert container["command"][:2] == ["sh", "-ec"]
    return container["command"], {each["name"]: each["value"] for each in container["env"]}


def called(command: list[str], variables: dict[str, str], folder: Path) -> list[str]:
    """What the script calls `sake` with; a shell script stands in for it."""
    stand_in = folder / "sake"
    stand_in.write_text('#!/bin/sh\nfor each in "$@"; do echo "$each"; done\n')
    stand_in.chmod(0o755)
    env = {"PATH": f"{folder}:{os.environ['PATH']}", **variables}
    return subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout.splitlines()


def slices(folder: Path) -> Iterator[list[str]]:
    command, own = script_of("slices")
    job = of_kind(rendered("backfill"), "Job")["slices"]["spec"]
    for index in range(job["completions"]):
        yield called(command, {**settings_of("backfill"), **own, "JOB_COMPLETION_INDEX": str(index)}, folder)


def option(call: list[str], name: str) -> str:
    return call[call.index(name) + 1]


def test_the_slices_make_a_year_without_a_gap_or_an_overlap(tmp_path: Path) -> None:
    bounds = [(option(each, "--from"), option(each, "--until")) for each in slices(tmp_path)]
    moments = [[datetime.fromisoformat(each) for each in pair] for pair in bounds]
    assert all(begin < end for begin, end in moments)
    assert all(one[1] == next_[0] for one, next_ in itertools.pairwise(moments))
    first, last = moments[0][0], moments[-1][1]
    assert (last.year - first.year, last.month, last.day) == (1, first.month, first.day)
    assert first.tzinfo is not None
    assert first.utcoffset() == datetime.now(UTC).utcoffset()


def test_slices_go_where_the_workers_read_and_the_live_stream_does_not(tmp_path: Path) -> None:
    names = TopicNames.of(settings_of("backfill")["SAKE_TOPICS_PREFIX"])
    for call in slices(tmp_path):
        assert call[:2] == ["replay", f"topic:{TopicNames.of().posts}"]
        assert option(call, "--to") == names.posts
    assert not set(names.all) & set(TopicNames.of().all)
    assert settings_of("backfill")["SAKE_WORKER_GROUP"] != settings_of("gpu")["SAKE_WORKER_GROUP"]


def test_an_index_may_fail_and_be_tried_again_without_the_others() -> None:
    job = of_kind(rendered("backfill"), "Job")["slices"]["spec"]
    assert job["completionMode"] == "Indexed"
    assert job["backoffLimitPerIndex"] > 0
    assert job["podReplacementPolicy"] == "Failed"
    assert job["template"]["spec"]["restartPolicy"] == "Never", "backoffLimitPerIndex needs it"


def test_it_lies_beside_the_live_stream() -> None:
    objects = rendered("backfill")
    assert {each["metadata"].get("namespace") for each in objects} - {None} == {"sake-backfill"}
    assert not {"mentions", "trends"} & set(pods(objects)), (
        "no webhooks, and no trends of a year side by side"
    )
    query = of_kind(objects, "ScaledObject")["engine"]["spec"]["triggers"][0]["metadata"]["query"]
    assert 'namespace="sake-backfill"' in query


@pytest.mark.integration
async def test_its_commands_run(kafka: Kafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The topics' job and two of the slices, at a real broker: an empty month is no failure."""
    live, own = f"{kafka.names.posts}.live", TopicNames.of(f"{kafka.group}-old")
    await create_topic(kafka.connection, live)
    async with open_producer(kafka.connection) as producer:
        for day in ("2026-02-03", "2026-02-28", "2026-03-01"):
            moment = datetime.fromisoformat(f"{day}T12:00+00:00")
            value = b'{"id": "%s", "text": "x"}' % day.encode()
            await producer.send_and_wait(
                live, value, key=day.encode(), timestamp_ms=round(moment.timestamp() * 1e3)
            )
    monkeypatch.setenv("SAKE_KAFKA_BOOTSTRAP_SERVERS", kafka.connection.bootstrap_servers)
    prefix = own.posts.removesuffix(".posts")
    given: dict[str, Any] = {**settings_of("backfill"), "SAKE_TOPICS_PREFIX": prefix}
    command, _ = script_of("topics")
    making = [each for each in called(command, given, tmp_path) if each]
    replay = making[: making.index("topics")]
    assert (
        await sake(*(each.replace(f"topic:{TopicNames.of().posts}", f"topic:{live}") for each in replay)) == 0
    )
    assert await retention_of(kafka.connection, own.posts) is None, "a year-old post would be deleted at once"
    command, variables = script_of("slices")
    variables |= {**given, "BACKFILL_SOURCE": live, "BACKFILL_FROM": "2026-01-01"}
    for index in ("0", "1", "1"):  # January is empty; February is tried again
        call = called(command, {**variables, "JOB_COMPLETION_INDEX": index}, tmp_path)
        assert await sake(*call) == 0
    found = await kafka.read(own.posts)
    assert sorted(record.key for record in found) == [b"2026-02-03", b"2026-02-28"]


async def sake(*arguments: str) -> int:
    return await asyncio.to_thread(cli.run, arguments)
