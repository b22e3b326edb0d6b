"""The turnstile before an application that stands in for vLLM's: who passes, waits, is sent away."""

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from sake_model.engine import turnstile
from sake_model.engine.chat_format import error_of
from sake_model.engine.interface import EngineUnavailable
from sake_model.engine.turnstile import TOKEN_VARIABLE, Turnstile

TOKEN = "t0ken"
CHAT = "/v1/chat/completions"
OLD, NEW = b'{"old": 1}', b'{"new": 1}'


class FakeEngine:
    """vLLM's engine client, as far as a change of weights needs it."""

    def __init__(self, inner) -> None:
        self.inner = inner
        self.calls: list = []
        self.fails = False

    async def pause_generation(self, *, mode, clear_cache):
        assert (mode, clear_cache) == ("wait", True)
        assert self.inner.running == 0, "nothing runs while weights are read"
        self.calls.append("pause")

    async def collective_rpc(self, method, kwargs):
        self.calls.append((method, kwargs["weights_path"]))
        if self.fails:
            raise RuntimeError("no such file")

    async def resume_generation(self):
        self.calls.append("resume")


@dataclass
class Inner:
    """A server whose turns last until `finish`, or until their client is gone, as vLLM's do."""

    finish: asyncio.Event = field(default_factory=asyncio.Event)
    running: int = 0
    aborted: int = 0
    listing: int = 200
    breaks: bool = False
    """Whether it fails where a client is gone."""

    async def __call__(self, scope, receive, send):
        if scope["path"] == "/v1/models":
            assert scope["method"] == "GET"
            await self._reply(send, self.listing, b"[]")
            return
        while (await receive()).get("more_body"):
            pass
        self.running += 1
        gone = asyncio.ensure_future(self._gone(receive))
        done = asyncio.ensure_future(self.finish.wait())
        try:
            await asyncio.wait((gone, done), return_when=asyncio.FIRST_COMPLETED)
            self.aborted += not done.done()
            if self.breaks and not done.done():
                raise RuntimeError("its client went away")
            await self._reply(send, 200, b"a turn" if done.done() else b"null")
        finally:
            gone.cancel()
            done.cancel()
            self.running -= 1

    async def _gone(self, receive):
        while (await receive())["type"] != "http.disconnect":
            pass

    async def _reply(self, send, status, body):
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": body})


@dataclass
class Answer:
    status: int = 0
    body: bytes = b""
    revision: str | None = None


class Bench:
    """The turnstile, what is behind it, and somebody who asks."""

    def __init__(self) -> None:
        self.inner = Inner()
        self.engine = FakeEngine(self.inner)
        self.gate = Turnstile(self.inner)
        state = type("State", (), {"engine_client": self.engine})()
        self.app = type("App", (), {"state": state})()

    async def ask(
        self, path, body=b"{}", *, method="POST", revision=None, token=None, leaves=False
    ) -> Answer:
        headers = []
        if revision is not None:
            headers.append((turnstile.REVISION_HEADER.encode(), revision.encode()))
        if token is not None:
            headers.append((turnstile.TOKEN_HEADER.encode(), token.encode()))
        scope = {"type": "http", "path": path, "method": method, "headers": headers, "app": self.app}
        pieces, answer = [{"type": "http.request", "body": body, "more_body": leaves}], Answer()
        if leaves:
            pieces.insert(0, {"type": "http.disconnect"})

        async def receive():
            if pieces:
                return pieces.pop()
            return await asyncio.sleep(3600)

        async def send(message):
            if message["type"] == "http.response.start":
                assert not answer.status, "one answer a request"
                answer.status = message["status"]
                answer.revision = (
                    dict(message["headers"]).get(turnstile.REVISION_HEADER.encode(), b"").decode()
                )
            else:
                answer.body += message["body"]

        await self.gate(scope, receive, send)
        return answer

    async def let_in(self, served=OLD) -> str:
        answer = await self.ask(turnstile.OPEN_PATH, served, token=TOKEN)
        return json.loads(answer.body)["revision"]

    async def swap(self, folder="/new", drain_s=0.05) -> Answer:
        order = json.dumps({"folder": folder, "drain_s": drain_s}).encode()
        return await self.ask(turnstile.SWAP_PATH, order, token=TOKEN)

    @asynccontextmanager
    async def asking(self, **options):
        """A turn that is under way while the block runs."""
        task = asyncio.create_task(self.ask(CHAT, **options))
        await asyncio.sleep(0.01)
        yield task
        task.cancel()


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    monkeypatch.setattr(turnstile, "HOLD_S", 0.3)
    return Bench()


async def test_nobody_passes_before_it_is_known_what_is_served(bench):
    answer = await bench.ask(CHAT)
    assert answer.status == 504
    assert bench.inner.running == 0


async def test_every_answer_names_the_checkpoint_that_wrote_it(bench):
    revision = await bench.let_in()
    bench.inner.finish.set()
    for options in ({}, {"revision": revision}):
        answer = await bench.ask(CHAT, **options)
        assert (answer.status, answer.body, answer.revision) == (200, b"a turn", revision)


async def test_a_turn_for_another_checkpoint_is_refused_before_it_costs_anything(bench):
    await bench.let_in()
    answer = await bench.ask(CHAT, revision="sha256:other")
    assert answer.status == 412
    assert bench.inner.running == bench.inner.aborted == 0


async def test_what_is_served_is_told_to_whoever_may_list_the_models(bench):
    await bench.let_in()
    told = await bench.ask(turnstile.MODEL_PATH, method="GET")
    assert (told.status, told.body) == (200, OLD)
    bench.inner.listing = 401
    told = await bench.ask(turnstile.MODEL_PATH, method="GET")
    assert (told.status, told.body) == (401, b"[]")


@pytest.mark.parametrize("path", [turnstile.SWAP_PATH, turnstile.OPEN_PATH])
@pytest.mark.parametrize("token", [None, "", "t0ke"])
async def test_only_the_supervisor_changes_anything(bench, path, token):
    revision = await bench.let_in()
    assert (await bench.ask(path, NEW, token=token)).status == 404
    assert bench.engine.calls == []
    bench.inner.finish.set()
    assert (await bench.ask(CHAT)).revision == revision


async def test_turns_that_run_are_finished_by_the_old_weights_and_new_ones_wait_for_the_new(bench):
    old = await bench.let_in()
    async with bench.asking(revision=old) as running:
        swapping = asyncio.create_task(bench.swap(drain_s=1.0))
        await asyncio.sleep(0.01)
        async with bench.asking() as waiting:
            assert bench.inner.running == 1, "the second is held back"
            assert bench.engine.calls == [], "no weights are read under a turn"
            bench.inner.finish.set()
            assert (await running).revision == old
            assert json.loads((await swapping).body) == {"withdrawn": 0}
            assert bench.engine.calls == ["pause", ("reload_weights", "/new"), "resume"]
            await asyncio.sleep(0.01)
            assert not waiting.done(), "nor does it pass before the new weights were found sound"
            new = await bench.let_in(NEW)
            assert (await waiting).revision == new != old


async def test_a_turn_that_takes_long_is_withdrawn_and_its_client_told(bench):
    old = await bench.let_in()
    async with bench.asking(revision=old) as named, bench.asking() as unnamed:
        assert json.loads((await bench.swap()).body) == {"withdrawn": 2}
        assert (bench.inner.aborted, bench.inner.running) == (2, 0)
        assert ((await named).status, (await unnamed).status) == (412, 503)
        assert (await named).body != b"null", "what the server says to a client that is gone goes nowhere"


async def test_a_turn_that_fails_by_its_being_withdrawn_is_not_told_as_one_that_broke_the_server(bench):
    old = await bench.let_in()
    bench.inner.breaks = True
    async with bench.asking(revision=old) as named:
        await bench.swap()
        assert (await named).status == 412


async def test_a_turn_that_is_held_for_long_counts_as_by_a_server_that_is_down(bench):
    await bench.let_in()
    await bench.swap()
    held = await bench.ask(CHAT)
    assert type(error_of(held.status, held.body)) is EngineUnavailable, "a post's clock stops then"


async def test_half_an_announcement_opens_nothing(bench):
    await bench.let_in()
    await bench.swap()
    with pytest.raises(ConnectionError):
        await bench.ask(turnstile.OPEN_PATH, NEW, token=TOKEN, leaves=True)
    assert (await bench.ask(CHAT)).status == 504


async def test_a_held_turn_for_the_old_checkpoint_is_refused_once_the_new_one_is_live(bench):
    old = await bench.let_in()
    await bench.swap()
    async with bench.asking(revision=old) as held:
        await bench.let_in(NEW)
        assert (await held).status == 412
    assert bench.inner.aborted == 0


async def test_taken_back_the_old_one_answers_as_before(bench):
    old = await bench.let_in()
    await bench.swap()
    async with bench.asking(revision=old) as held:
        await bench.swap("/old")
        assert await bench.let_in(OLD) == old
        bench.inner.finish.set()
        assert (await held).status == 200


async def test_trials_pass_while_all_others_wait(bench):
    await bench.let_in()
    await bench.swap()
    bench.inner.finish.set()
    assert (await bench.ask(CHAT, token=TOKEN)).body == b"a turn"
    assert (await bench.ask(CHAT)).status == 504


async def test_weights_that_cannot_be_read_are_told_and_nobody_passes(bench):
    await bench.let_in()
    bench.engine.fails = True
    answer = await bench.swap()
    assert answer.status == 500
    assert b"no such file" in answer.body
    assert bench.engine.calls[-1] == "resume", "vLLM itself is left as it was"
    assert (await bench.ask(CHAT)).status == 504


async def test_health_and_sockets_pass_always(bench):
    bench.inner.finish.set()
    assert (await bench.ask("/health", method="GET")).status == 200
