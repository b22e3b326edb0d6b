"""Workers follow the checkpoint that the server serves; a post is always by one of them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

import orjson
from support.instant_worker import NoPictures

from sake_model.checkpoint.manifest import Manifest
from sake_model.deadline import Deadline
from sake_model.engine.interface import (
    Completion,
    EngineUnavailable,
    FinishReason,
    Message,
    ModelChanged,
    Sampling,
)
from sake_model.engine.served import Served
from sake_model.prompts import load_prompts
from sake_model.protocol import Answer, Mention, Turn, render_turn
from sake_model.recogniser import Recogniser
from schemas.codec import decode
from schemas.recognitions import Recognition
from workers.following import Following
from workers.model_choice import choose_model
from workers.recognise.attempts import Attempts, PostLimits
from workers.recognise.gate import EngineGate, GateLimits
from workers.recognise.messages import InMessage, OutMessage
from workers.recognise.processor import PostProcessor
from workers.settings import Settings
from workers.topics import TopicNames

TOPICS = TopicNames.of("sake")
NOTHING = "<reason>I do not know.</reason>"
ANSWER = render_turn(Turn("Known.", Answer((Mention("Oslo", "LOC", None),))))
PROMPTS = {
    "first.txt": "{text}",
    "after_text_search.txt": "",
    "after_image_search.txt": "",
    "last.txt": "Answer.",
    "task.toml": "[types]\nLOC = []\n",
}


def checkpoint(name: str, **prompts: str) -> Served:
    digest = "sha256:" + name.encode().hex().rjust(64, "0")
    return Served(manifest=Manifest(name=name, digest=digest, prompts="p"), prompts=PROMPTS | prompts)


OLD = checkpoint("old")
NEW = checkpoint("new", **{"first.txt": "Post: {text}", "last.txt": "Only the answer now."})


@dataclass
class Server:
    """Serves one checkpoint, and changes it after so many turns."""

    serves: Served | None = OLD
    turns: list[tuple[str, str]] = field(default_factory=list)
    """Revision and prompt of each that was written."""
    change_after: int | None = None
    questions: int = 0
    away: bool = False
    turn: str = ANSWER
    slow_s: float = 0.01

    async def served(self) -> Served | None:
        self.questions += 1
        await asyncio.sleep(self.slow_s)
        if self.away:
            raise EngineUnavailable("away")
        return self.serves

    def bound(self, revision: str) -> BoundTo:
        return BoundTo(self, revision)


@dataclass
class BoundTo:
    server: Server
    revision: str

    async def generate(
        self,
        messages: tuple[Message, ...],
        *,
        stop: tuple[str, ...],
        max_tokens: int,
        deadline: Deadline,
        sampling: Sampling = Sampling(),
    ) -> Completion:
        server = self.server
        if len(server.turns) == server.change_after:
            server.serves, server.turn = NEW, ANSWER
        now = server.serves.revision if server.serves else ""
        if self.revision != now:
            raise ModelChanged(f"{now} is served")
        server.turns.append((now, str(messages[-1].parts[-1])))
        return Completion(server.turn, FinishReason.STOP, 1, 1)


def following(server: Server, settings: Settings | None = None) -> Following:
    def made_for(served: Served | None) -> PostProcessor:
        choice = choose_model(settings or Settings(), served)
        engine = server.bound(served.revision if served else "")
        recogniser = Recogniser(engine, None, choice.prompts, choice.ref, choice.frame)
        return PostProcessor(recogniser, NoPictures(), TOPICS)

    return Following(server, made_for)


def message(number: int) -> InMessage:
    value = orjson.dumps({"id": f"p{number}", "text": f"Rain in Oslo, day {number}"})
    return InMessage("sake.posts", 0, number, 0, f"p{number}".encode(), value, ())


def attempts(processor: Following, **limits: float) -> tuple[Attempts, EngineGate]:
    gate = EngineGate(GateLimits(first_backoff_s=0.02))
    return Attempts(processor, gate, replace(PostLimits(retry_s=0.01), **limits)), gate  # type: ignore[arg-type]


def recognition(outputs: object) -> Recognition:
    assert isinstance(outputs, tuple), outputs
    (record,) = [output for output in outputs if output.topic == TOPICS.recognitions]
    assert isinstance(record, OutMessage)
    return decode(record.value, Recognition)


async def test_records_carry_what_the_server_serves_and_its_prompts_are_used() -> None:
    for served in (OLD, NEW):
        server = Server(serves=served)
        runner, _ = attempts(following(server))
        record = recognition(await runner.run(message(1)))
        assert record.model.digest == served.manifest.digest
        prompts = served.prompt_set()
        assert prompts is not None
        assert record.model.prompts_digest == prompts.digest
        assert server.turns[0][1] == prompts.first.render("Rain in Oslo, day 1", None)


async def test_a_post_on_both_sides_of_a_change_is_wholly_by_the_new_checkpoint() -> None:
    # The old one does not find its words in the first round; the change comes before the second.
    server = Server(change_after=1, turn=NOTHING)
    runner, gate = attempts(following(server))
    record = recognition(await runner.run(message(1)))
    assert record.model.digest == NEW.manifest.digest
    assert [one.action.value for one in record.rounds] == ["answer"], "the old round is no part of it"
    assert record.repairs == {}
    assert server.turns[-1] == (NEW.revision, "Post: Rain in Oslo, day 1")
    assert gate.open, "consumption does not rest for a change"


async def test_many_posts_at_once_ask_once_what_is_served_and_once_more_after_a_change() -> None:
    server = Server()
    follower = following(server)
    runner, _ = attempts(follower)
    before = await asyncio.gather(*(runner.run(message(number)) for number in range(20)))
    assert server.questions == 1
    server.serves = NEW
    after = await asyncio.gather(*(runner.run(message(number)) for number in range(20)))
    assert server.questions == 2
    digests = [{recognition(each).model.digest for each in some} for some in (before, after)]
    assert digests == [{OLD.manifest.digest}, {NEW.manifest.digest}]


async def test_a_change_of_nothing_but_the_manifest_is_followed_as_well() -> None:
    server = Server()
    follower = following(server)
    runner, _ = attempts(follower)
    await runner.run(message(1))
    server.serves = Served(manifest=OLD.manifest, prompts={**PROMPTS, "first.txt": "Now: {text}"})
    record = recognition(await runner.run(message(2)))
    assert record.model.digest == OLD.manifest.digest
    assert server.turns[-1][1] == "Now: Rain in Oslo, day 2"


async def test_while_the_server_is_away_posts_wait_and_none_is_lost() -> None:
    server = Server(away=True)
    runner, gate = attempts(following(server))
    running = asyncio.create_task(runner.run(message(1)))
    await asyncio.sleep(0.1)
    assert not gate.open
    server.away = False
    assert recognition(await running).model.digest == OLD.manifest.digest


async def test_an_operators_prompts_stay_whatever_is_served() -> None:
    server = Server()
    runner, _ = attempts(following(server, Settings(prompts="compact")))
    record = recognition(await runner.run(message(1)))
    assert record.model.digest == OLD.manifest.digest
    assert record.model.prompts_digest == load_prompts("compact").digest


async def test_for_a_server_that_does_not_tell_the_settings_decide() -> None:
    server = Server(serves=None)
    runner, _ = attempts(following(server, Settings(model="org/some-model", prompts="compact")))
    assert recognition(await runner.run(message(1))).model.name == "org/some-model"
    server.serves = NEW  # restarted by `sake engine`: now it tells
    assert recognition(await runner.run(message(2))).model.digest == NEW.manifest.digest


async def test_a_server_that_does_not_say_in_time_what_it_serves_is_no_fault_of_the_post() -> None:
    server = Server(slow_s=0.3)
    runner, gate = attempts(following(server), deadline_s=0.05, grace_s=0.05)
    running = asyncio.create_task(runner.run(message(1)))
    await asyncio.sleep(0.15)
    assert not gate.open
    assert recognition(await running).model.digest == OLD.manifest.digest


class Alternating:
    """Two servers behind one address, now the one, now the other."""

    def __init__(self, times: int) -> None:
        self.left = times
        self.deadlines: set[float] = set()

    async def process(self, message: InMessage, deadline: Deadline) -> tuple[OutMessage, ...]:
        self.deadlines.add(deadline.at_s)
        self.left -= 1
        if self.left >= 0:
            raise ModelChanged("the other one")
        return ()


async def test_a_post_is_begun_anew_as_often_as_it_takes_each_time_with_its_whole_time() -> None:
    processor = Alternating(8)
    limits = PostLimits(max_attempts=2, retry_s=0.001, max_retry_s=0.002)
    assert await Attempts(processor, EngineGate(GateLimits()), limits).run(message(1)) == ()
    assert len(processor.deadlines) == 9


def test_a_revision_names_manifest_and_prompts() -> None:
    assert checkpoint("old").revision == OLD.revision
    assert len({OLD.revision, NEW.revision, checkpoint("old", **{"last.txt": "x"}).revision}) == 3
