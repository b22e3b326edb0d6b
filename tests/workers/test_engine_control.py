"""`sake engine reload` and the process that it speaks to."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path

import msgspec
import orjson
import pytest

from sake_model.checkpoint.manifest import Manifest
from sake_model.engine.launcher import Reloaded
from sake_model.engine.served import Served
from schemas.errors import OperatorError
from workers import cli
from workers.engine_control import ADDRESS_FILE, ControlAddress, ask_to_reload, control_of

DIGEST = "sha256:" + "cd" * 32


class Server:
    """Takes every checkpoint but one called `bad`."""

    def __init__(self) -> None:
        self.asked: list[Path] = []
        self.finished = 0
        self.may_finish = asyncio.Event()
        self.may_finish.set()

    async def reload(self, folder: Path) -> Reloaded:
        self.asked.append(folder)
        await self.may_finish.wait()
        self.finished += 1
        if folder.name == "bad":
            raise OperatorError(f"{folder} was taken back: no numbers")
        return Reloaded(Served(manifest=Manifest(name="fresh", digest=DIGEST)), held_s=0.25, withdrawn=3)


async def test_the_folder_reaches_the_server_and_its_answer_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server()
    monkeypatch.chdir(tmp_path)
    async with control_of(server, tmp_path / "home"):
        outcome = await ask_to_reload(tmp_path / "home", Path("relative/fresh"))
    assert server.asked == [tmp_path / "relative/fresh"], "whose current folder is another one"
    assert (outcome.name, outcome.digest, outcome.held_s, outcome.withdrawn) == ("fresh", DIGEST, 0.25, 3)


async def test_a_refusal_comes_back_in_the_servers_words(tmp_path: Path) -> None:
    async with control_of(Server(), tmp_path):
        with pytest.raises(OperatorError, match="was taken back: no numbers"):
            await ask_to_reload(tmp_path, tmp_path / "bad")


async def test_without_a_running_engine_the_message_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="start one"):
        await ask_to_reload(tmp_path, tmp_path)
    async with control_of(Server(), tmp_path):
        left_over = (tmp_path / ADDRESS_FILE).read_bytes()
    assert not (tmp_path / ADDRESS_FILE).exists()
    (tmp_path / ADDRESS_FILE).write_bytes(left_over)  # as after a kill -9
    with pytest.raises(OperatorError, match="start one"):
        await ask_to_reload(tmp_path, tmp_path)


async def test_only_this_user_can_read_the_token_and_no_other_token_is_taken(tmp_path: Path) -> None:
    server = Server()
    async with control_of(server, tmp_path):
        path = tmp_path / ADDRESS_FILE
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        address = msgspec.json.decode(path.read_bytes(), type=ControlAddress)
        assert address.url.startswith("http://127.0.0.1:")
        path.write_bytes(msgspec.json.encode(msgspec.structs.replace(address, token="guess")))
        with pytest.raises(OperatorError, match="token"):
            await ask_to_reload(tmp_path, tmp_path / "x")
    assert server.asked == []


async def test_a_reload_that_was_begun_ends_although_nobody_waits_for_it(tmp_path: Path) -> None:
    server = Server()
    server.may_finish.clear()
    async with control_of(server, tmp_path):
        asking = asyncio.create_task(ask_to_reload(tmp_path, tmp_path / "x"))
        while not server.asked:
            await asyncio.sleep(0.01)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        server.may_finish.set()
        await asyncio.sleep(0.05)
        assert server.finished == 1


async def test_a_later_engine_of_the_same_home_keeps_its_address(tmp_path: Path) -> None:
    async with control_of(Server(), tmp_path):
        other = ControlAddress("http://127.0.0.1:1", "t", os.getpid() + 1)
        (tmp_path / ADDRESS_FILE).write_bytes(msgspec.json.encode(other))
    assert (tmp_path / ADDRESS_FILE).exists()


async def test_the_command_prints_what_is_live_and_fails_with_what_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SAKE_HOME", str(tmp_path))
    async with control_of(Server(), tmp_path):
        assert await asyncio.to_thread(cli.run, ("engine", "reload", "new")) == 0
        shown = capsys.readouterr().out
        assert f"fresh {DIGEST} is live; turns waited 0.25 s, 3 of them begun anew" in shown
        assert await asyncio.to_thread(cli.run, ("engine", "reload", "new", "--json")) == 0
        assert orjson.loads(capsys.readouterr().out)["withdrawn"] == 3
        assert await asyncio.to_thread(cli.run, ("engine", "reload", "bad")) == 2
        assert "no numbers" in capsys.readouterr().err
