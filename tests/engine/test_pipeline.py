"""All of it on the tiny model: base → tags → SeCoT → SFT → RL → export → a running engine → the stream.

Every stage by the command that a person types. Needs both environments, like the test of reloading.
"""

from __future__ import annotations

import asyncio
import json
import struct
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from support.commands import MODEL_ENVIRONMENT, reload, sake_engine, sake_train

pytest.importorskip("aiokafka")

from support.kafka import Kafka, running_kafka

from sake_model.checkpoint.manifest import Manifest, digest_of_files, verify
from schemas.codec import decode
from schemas.recognitions import Recognition, RoundAction
from training.appendlog import read_records
from training.rl.curves import CURVES_FILE, StepRecord
from training.secot.cases import directives_of
from training.secot.records import REJECTED_FILE, TRAJECTORIES_FILE, Rejected, Trajectory
from training.sources import world_posts
from training.tags.records import TAGS_FILE, PostTags
from workers.demo.child import worker_process

pytestmark = [pytest.mark.engine, pytest.mark.integration, pytest.mark.timeout(600)]

SAMPLES = 3
SAMPLED = 5
"""Posts that the base model is asked: one wave of requests."""
KNOWN = 12
"""Posts about the invented world of which it is known by construction what has to be searched."""
SFT_STEPS, RL_STEPS = 320, 20
STREAMED = 20
ADAPTER = Path("adapter") / "adapter_model.safetensors"


class Stages:
    """How long each stage took, in seconds."""

    def __init__(self) -> None:
        self.took: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measures the block; says so on the screen, for `pytest -s`."""
        began_s = time.monotonic()
        yield
        self.took[name] = time.monotonic() - began_s
        print(f"\n{name}: {self.took[name]:.0f} s")


async def test_what_was_trained_here_answers_the_stream(tmp_path: Path) -> None:
    if not (MODEL_ENVIRONMENT / "bin" / "vllm").is_file():
        pytest.skip(f"no vLLM in {MODEL_ENVIRONMENT}")
    stages = Stages()
    base, home, out = tmp_path / "base", tmp_path / "home", tmp_path / "exported"
    with stages.stage("base"):
        await sake_train("base", "--tiny", "--out", base)
    async with AsyncExitStack() as stack:
        with stages.stage("engine"):
            url = await stack.enter_async_context(sake_engine(_engine(base, home), tmp_path / "engine.err"))
        with stages.stage("tags"):
            tags = await _tagged(tmp_path, base, url)
        with stages.stage("secot"):
            await _written(tmp_path, base, home, tags)
        with stages.stage("sft"):
            await _taught(tmp_path)
        with stages.stage("rl"):
            await _reinforced(tmp_path, home)
        with stages.stage("export"):
            manifest = await _exported(tmp_path, out)
        with stages.stage("reload"):
            code, said, problem = await reload(out, {"SAKE_HOME": str(home)})
            assert code == 0, problem
            assert orjson.loads(said)["digest"] == manifest.digest
        with stages.stage("stream"):
            await _streamed(tmp_path, home, url, manifest)
    print(f"\nin all {sum(stages.took.values()):.0f} s")


def _engine(base: Path, home: Path) -> dict[str, str]:
    return {
        "SAKE_HOME": str(home),
        "SAKE_MODEL": str(base),
        "SAKE_ENGINE_ENVIRONMENT": str(MODEL_ENVIRONMENT),
        "SAKE_ENGINE_DTYPE": "float32",
        "SAKE_ENGINE_CPU_THREADS": "1",
    }


async def _tagged(folder: Path, base: Path, url: str) -> list[PostTags]:
    """Some posts' tags by asking the model, more by construction; the first ones' stand first."""
    asked = ("--engine", url, "--samples", str(SAMPLES), "--model", base)
    await sake_train("tags", "--world", str(SAMPLED), *asked, "--out", folder / "sampled")
    await sake_train("tags", "--world", str(KNOWN), "--by-construction", "--out", folder / "constructed")
    sampled = list(read_records(folder / "sampled" / TAGS_FILE, PostTags))
    assert len(sampled) == SAMPLED
    assert {post.samples for post in sampled} == {SAMPLES}
    assert all(len(post.turns) == SAMPLES for post in sampled)
    assert len({turn for post in sampled for turn in post.turns}) > SAMPLED, "the model wrote them, each anew"
    assert {entity.hit_text for post in sampled for entity in post.entities} == {0}, "a random model"
    constructed = read_records(folder / "constructed" / TAGS_FILE, PostTags)
    known = {post.id for post in sampled}
    return sampled + [post for post in constructed if post.id not in known]


async def _written(folder: Path, base: Path, home: Path, tags: list[PostTags]) -> None:
    """Trajectories with the real search of an index that knows the invented world."""
    await sake_train("index", "--home", home, "--offline")
    out = folder / "secot"
    from_tags = ("--tags", folder / "sampled", "--tags", folder / "constructed")
    await sake_train("secot", *from_tags, "--model", base, "--home", home, "--out", out)
    assert list(read_records(out / REJECTED_FILE, Rejected)) == []
    done = {each.id: each for each in read_records(out / TRAJECTORIES_FILE, Trajectory)}
    assert {name.partition("#")[0] for name in done} == {post.id for post in tags}
    searched = 0
    for post in tags:
        directives = directives_of(post)
        assert directives is not None
        told = [e.phrase for e, each in zip(post.entities, directives, strict=True) if each.text]
        assert sorted(done[post.id].text_queries) == sorted(set(told))
        observed = [m.content for m in done[post.id].messages if "<information>" in str(m.content)]
        assert len(observed) == bool(told)
        searched += bool(told)
    assert 0 < searched < len(tags)


async def _taught(folder: Path) -> None:
    plan = ("--steps", str(SFT_STEPS), "--batch-size", "4", "--learning-rate", "8e-3")
    await sake_train("sft", "--tiny", "--secot", folder / "secot", *plan, "--out", folder / "sft")
    history = json.loads((folder / "sft" / "history.json").read_text())
    losses = [entry["loss"] for entry in history if "loss" in entry]
    assert losses[-1] < losses[0] / 4, losses


async def _reinforced(folder: Path, home: Path) -> None:
    """GRPO on the posts that SFT taught: the same model, temperatures and searches as in serving."""
    out = folder / "rl"
    where = ("--world", str(KNOWN), "--home", home, "--adapter", folder / "sft" / "adapter")
    size = ("--rollouts", "4", "--prompts-a-step", "2", "--max-new-tokens", "160", "--temperature", "0.5")
    plan = ("--steps", str(RL_STEPS), "--learning-rate", "1e-4", *size)
    await sake_train("rl", "--tiny", *where, *plan, "--out", out)
    records = list(read_records(out / CURVES_FILE, StepRecord))
    assert [record.step for record in records] == list(range(1, RL_STEPS + 1))
    assert any(record.learnt_groups for record in records), "rewards differed somewhere"
    assert any(record.searches for record in records), "it searches while it learns"
    before, after = (_tensors(folder / stage / ADAPTER) for stage in ("sft", "rl"))
    assert before.keys() == after.keys()
    changed = [name for name, data in before.items() if data != after[name]]
    assert any("lora_B" in name for name in changed)


def _tensors(path: Path) -> dict[str, bytes]:
    """Each tensor's bytes in a safetensors file, which this environment has no library for."""
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header: dict[str, Any] = json.loads(raw[8 : 8 + length])
    header.pop("__metadata__", None)
    data = raw[8 + length :]
    return {name: data[slice(*each["data_offsets"])] for name, each in header.items()}


async def _exported(folder: Path, out: Path) -> Manifest:
    facts = ("--name", "tiny-pipeline", "--data", "an invented world", "--command", "sake train rl --tiny")
    said = await sake_train("export", folder / "rl" / "adapter", "--tiny", "--whole", *facts, "--out", out)
    manifest = verify(out)
    assert manifest.files_digest == digest_of_files(out)
    assert manifest.digest in said
    assert (manifest.name, manifest.data) == ("tiny-pipeline", ("an invented world",))
    assert "sake train rl --tiny" in (out / "README.md").read_text()
    return manifest


async def _streamed(folder: Path, home: Path, url: str, manifest: Manifest) -> None:
    """Posts in, as many records out, by the checkpoint that was just made; it searches as it was taught."""
    posts = {post.id.encode(): post.text for post in world_posts("train", 1, STREAMED)}
    async with running_kafka(folder / "broker") as kafka, _worker(kafka, home, url, folder / "worker.log"):
        await kafka.produce(
            (key, orjson.dumps({"id": key.decode(), "text": text}), ()) for key, text in posts.items()
        )
        while sum((await kafka.committed()).values()) < STREAMED:
            await asyncio.sleep(0.2)
        messages = await kafka.read(kafka.names.recognitions)
        assert await kafka.read(kafka.names.dead_letters) == []
    assert sorted(message.key for message in messages) == sorted(posts)
    records = [decode(message.value, Recognition) for message in messages]
    assert {record.model.digest for record in records} == {manifest.digest}
    assert {record.model.name for record in records} == {"tiny-pipeline"}
    looked = [turn for record in records for turn in record.rounds if turn.action is RoundAction.TEXT_SEARCH]
    assert looked, "it searches, as SFT has taught it: the base model wrote nothing that can be read"


@asynccontextmanager
async def _worker(kafka: Kafka, home: Path, url: str, log: Path) -> AsyncIterator[None]:
    await kafka.create(2)
    variables = {
        "SAKE_HOME": str(home),
        "SAKE_ENGINE_URL": url,
        "SAKE_KAFKA_BOOTSTRAP_SERVERS": kafka.connection.bootstrap_servers,
        "SAKE_TOPICS_PREFIX": kafka.names.posts.removesuffix(".posts"),
        "SAKE_WORKER_GROUP": kafka.group,
    }
    async with worker_process(variables, log) as worker:
        await worker.holds_partitions()
        yield
        worker.check()
