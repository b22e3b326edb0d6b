"""A change of weights, decided: the supervisor with a process that stands in for vLLM; tests/engine has
the real one."""

import asyncio
import json
import os
import shutil
import signal
import sys
from importlib import resources
from pathlib import Path

import pytest
from support import fake_vllm

from sake_model.checkpoint.manifest import Manifest, digest_of_files, read_manifest, write_manifest
from sake_model.engine.launcher import EngineServer, SupervisorLimits
from sake_model.engine.reload import ReloadFailed, ReloadLimits, Supervision
from sake_model.engine.serve_options import ServeOptions
from schemas.errors import OperatorError

LIMITS = SupervisorLimits(
    start_timeout_s=5.0,
    first_backoff_s=0.05,
    stop_grace_s=0.5,
    unwell_after_s=2.0,
    reload=ReloadLimits(drain_s=0.01, trial_timeout_s=5.0, tries=3, pause_s=0.02),
)


def checkpoint(folder: Path, weights: bytes = b"\1") -> Path:
    """The smallest folder that may take another one's place: one tensor of one byte."""
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    header = json.dumps({"a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}}).encode()
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + weights)
    digest = digest_of_files(folder)
    write_manifest(folder, Manifest(name=folder.name, digest=digest, files_digest=digest))
    return folder


def environment(folder: Path, finite: int = 0) -> Path:
    """A model environment whose check for numbers that are none ends with this status."""
    (folder / "bin").mkdir(parents=True)
    scripts = {
        "vllm": f'exec {sys.executable} {fake_vllm.__file__} well "$@"',
        "python": f"echo 'numbers that are none' >&2; exit {finite}",
    }
    for name, line in scripts.items():
        (folder / "bin" / name).write_text(f"#!/bin/sh\n{line}\n")
        (folder / "bin" / name).chmod(0o755)
    return folder


class Running:
    """A supervised server of a checkpoint `old`, and what was asked of it."""

    def __init__(self, server: EngineServer, folder: Path, pids: Path) -> None:
        self.server, self.folder, self.pids = server, folder, pids

    @property
    def calls(self) -> list[str]:
        return Path(f"{self.pids}.calls").read_text().splitlines()

    async def reload(self, name: str, weights: bytes = b"\2"):
        return await self.server.reload(checkpoint(self.folder / name, weights))

    @property
    def serves(self) -> str:
        assert self.server.served is not None
        return self.server.served.manifest.name


@pytest.fixture
def first():
    """Which checkpoint is served at the start."""
    return "old"


@pytest.fixture
async def running(tmp_path, monkeypatch, first):
    pids = tmp_path / "pids"
    monkeypatch.setenv("FAKE_VLLM_PIDS", str(pids))
    options = ServeOptions(
        str(checkpoint(tmp_path / first)), environment(tmp_path / "environment"), reloadable=True
    )
    async with EngineServer(options, tmp_path / "engine.log", LIMITS) as server:
        await asyncio.wait_for(server.ready(), 10)
        yield Running(server, tmp_path, pids)


async def test_a_sound_checkpoint_goes_live_after_its_trial(running):
    assert running.calls == ["start old", "open old"], "nobody is answered before it is known what is served"
    reloaded = await running.reload("new")
    assert running.calls[2:] == ["swap new", "open new"]
    assert (reloaded.served.manifest.name, reloaded.withdrawn, running.serves) == ("new", 1, "new")
    assert 0 < reloaded.held_s < 5


@pytest.mark.parametrize("first", ["mumbling"])
async def test_weights_that_never_knew_the_format_bar_nobody(running):
    (running.folder / "another").mkdir()
    assert (await running.reload("another/mumbling")).served.manifest.name == "mumbling"
    assert (await running.reload("new")).served.manifest.name == "new"
    with pytest.raises(OperatorError, match="no trial post"):
        await running.server.reload(running.folder / "mumbling")


async def test_after_a_restart_what_is_live_is_served_again(running):
    await running.reload("new")
    os.kill(json.loads(running.pids.read_text())[0], signal.SIGKILL)
    async with asyncio.timeout(10):
        while running.server.starts < 2:
            await asyncio.sleep(0.02)
        await running.server.ready()
    assert running.calls[-2:] == ["start new", "open new"]
    assert running.server.starts == 2


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("mumbling", "no trial post was answered in the format"),
        ("broken", "probabilities are none"),
        ("unreadable", "no such file"),
    ],
)
async def test_one_that_fails_is_taken_back_before_anybody_is_answered_by_it(running, name, says):
    with pytest.raises(OperatorError, match=rf"(?s)was taken back.*{says}"):
        await running.reload(name)
    assert running.calls[2:] == [f"swap {name}", "swap old", "open old"]
    assert running.serves == "old"
    assert (await running.reload("new")).served.manifest.name == "new", "and the next may come"


async def test_one_that_begins_well_and_never_ends_is_taken_back_soon_after(running):
    with pytest.raises(
        OperatorError, match=r"(?s)was taken back.*no trial post was answered with a whole turn"
    ):
        await running.reload("rambling")
    assert running.calls[2:] == ["swap rambling", "open rambling", "swap old", "open old"]
    assert running.serves == "old"
    with pytest.raises(OperatorError, match="was taken back"):
        await running.reload("mumbling")


async def test_one_that_takes_the_server_down_is_not_what_it_comes_back_with(running):
    with pytest.raises(OperatorError, match="was taken back"):
        await running.reload("fatal")
    async with asyncio.timeout(10):
        while running.server.starts < 2:
            await asyncio.sleep(0.02)
        await running.server.ready()
    assert running.calls[-2:] == ["start old", "open old"]
    assert running.serves == "old"


async def killed_and_ready_again(running):
    starts = running.server.starts
    os.kill(json.loads(running.pids.read_text())[0], signal.SIGKILL)
    async with asyncio.timeout(10):
        while running.server.starts == starts:
            await asyncio.sleep(0.02)
        await running.server.ready()


async def test_a_folder_that_was_made_anew_meanwhile_is_never_served_under_the_old_name(running):
    shutil.rmtree(running.folder / "old")
    fresh = read_manifest(checkpoint(running.folder / "old", b"\7"))
    with pytest.raises(OperatorError, match="was changed since"):
        await running.reload("new")
    assert running.calls == ["start old", "open old"], "there would be nothing to go back to"
    await killed_and_ready_again(running)
    assert running.server.served.manifest.digest == fresh.digest, "it holds what lies there now"


async def test_a_link_is_followed_once_not_whenever_it_is_moved(running):
    link = running.folder / "current"
    link.symlink_to(checkpoint(running.folder / "new", b"\2"))
    await running.server.reload(link)
    link.unlink()
    link.symlink_to(checkpoint(running.folder / "newer", b"\3"))
    await killed_and_ready_again(running)
    assert running.calls[-2:] == ["start new", "open new"]
    assert (await running.server.reload(link)).served.manifest.name == "newer"


async def test_a_change_that_is_broken_off_leaves_no_server_that_holds_all_turns_back(running, monkeypatch):
    async def broken(*_):
        raise RuntimeError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr(Supervision, "opening", broken)
        with pytest.raises(RuntimeError):
            await running.reload("new")
    async with asyncio.timeout(10):
        while running.server.starts < 2:
            await asyncio.sleep(0.02)
        await running.server.ready()
    assert running.calls[-2:] == ["start old", "open old"]


class Busy:
    """A server whose queue is full for the next trials."""

    def __init__(self, monkeypatch) -> None:
        self.times = 0
        trial = Supervision.trial

        async def perhaps(*asked):
            self.times -= 1
            if self.times >= 0:
                raise ReloadFailed("the queue is full")
            return await trial(*asked)

        monkeypatch.setattr(Supervision, "trial", perhaps)


@pytest.fixture
def busy(monkeypatch):
    return Busy(monkeypatch)


async def test_a_server_that_is_busy_for_a_moment_tries_new_weights_all_the_same(busy, running):
    busy.times = LIMITS.reload.tries - 1
    with pytest.raises(OperatorError, match=r"(?s)was taken back.*a whole turn"):
        await running.reload("rambling")
    busy.times = LIMITS.reload.tries - 1
    assert (await running.reload("new")).served.manifest.name == "new"


async def test_weights_that_no_trial_could_judge_are_taken_back(busy, running):
    busy.times = LIMITS.reload.tries
    with pytest.raises(OperatorError, match=r"(?s)was taken back.*too busy.*reload when less is asked"):
        await running.reload("new")
    assert running.calls[2:] == ["swap new", "open new", "swap old", "open old"]
    assert running.serves == "old"


async def test_weights_that_were_not_tried_at_the_start_open_the_door_to_no_others(busy, running):
    busy.times = 1
    await killed_and_ready_again(running)
    assert busy.times == 0
    with pytest.raises(OperatorError, match="was taken back"):
        await running.reload("mumbling")


async def test_a_server_that_was_started_again_meanwhile_is_not_tried_with_its_other_weights(
    running, monkeypatch
):
    tried = []

    async def started_again(*_):
        tried.append(running.server.starts)
        running.server.starts += 1
        raise ReloadFailed("the connection broke")

    monkeypatch.setattr(Supervision, "trial", started_again)
    with pytest.raises(OperatorError, match="was taken back"):
        await running.reload("new")
    assert tried == [1]


async def test_weights_that_were_overwritten_in_place_are_noticed(running):
    weights = running.folder / "old/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\7")
    with pytest.raises(OperatorError, match=r"old was changed since.*could be taken back.*sake\.json"):
        await running.reload("new")
    assert running.calls == ["start old", "open old"]


async def test_weights_that_were_overwritten_in_place_are_not_what_it_comes_back_with(running):
    """Records would carry the digest of the ones before."""
    weights = running.folder / "old/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\7")
    os.kill(json.loads(running.pids.read_text())[0], signal.SIGKILL)
    with pytest.raises(OperatorError, match=r"old are not those that its sake\.json speaks of"):
        await asyncio.wait_for(running.server.ended(), 10)
    assert running.calls == ["start old", "open old", "start old"], "nobody is answered by them"


async def test_a_key_that_only_vllm_was_given_is_shown_to_it(monkeypatch, tmp_path):
    monkeypatch.setenv("VLLM_API_KEY", "the operator's own")
    monkeypatch.setenv("FAKE_VLLM_PIDS", str(tmp_path / "pids"))
    options = ServeOptions(
        str(checkpoint(tmp_path / "old")), environment(tmp_path / "environment"), reloadable=True
    )
    async with EngineServer(options, tmp_path / "engine.log", LIMITS) as server:
        await asyncio.wait_for(server.ready(), 10)
        assert (await server.reload(checkpoint(tmp_path / "new", b"\2"))).served.manifest.name == "new"


async def test_what_is_refused_beforehand_never_reaches_the_server(running):
    with pytest.raises(OperatorError, match="no checkpoint folder"):
        await running.server.reload(running.folder / "nowhere")
    with pytest.raises(OperatorError, match="is being served"):
        await running.server.reload(running.folder / "old")
    changed = checkpoint(running.folder / "changed")
    (changed / "config.json").write_text('{"hidden_size": 8}')
    with pytest.raises(OperatorError, match=r"not those that its sake\.json"):
        await running.server.reload(changed)
    (running.folder / "environment/bin/python").write_text("#!/bin/sh\necho 'none' >&2\nexit 1\n")
    with pytest.raises(OperatorError, match="none"):
        await running.reload("not_finite")
    assert running.calls == ["start old", "open old"]


@pytest.mark.parametrize(
    "file", ["sake.json", "config.json", "prompts/last.txt", "prompts/system.txt", "prompts/task.toml"]
)
async def test_a_file_that_is_not_utf_8_is_refused_by_its_name(running, file):
    folder = checkpoint(running.folder / "new")
    shutil.copytree(str(resources.files("sake_model.prompts") / "compact"), folder / "prompts")
    text = (folder / file).read_bytes() if (folder / file).exists() else b""
    (folder / file).write_bytes(text.replace(b"new", b"n\xffw") if file == "sake.json" else b"\xff" + text)
    if file != "sake.json":
        digest = digest_of_files(folder)
        write_manifest(folder, Manifest(name="new", digest=digest, files_digest=digest, prompts="prompts"))
    with pytest.raises(OperatorError, match=rf"{Path(file).name}\b.*(codec|UTF-8)"):
        await running.server.reload(folder)
    assert running.calls == ["start old", "open old"]


async def test_a_server_that_was_not_started_for_it_says_so(tmp_path):
    options = ServeOptions("org/model", environment(tmp_path / "environment"))
    server = EngineServer(options, tmp_path / "engine.log")
    with pytest.raises(OperatorError, match="not started for hot reload"):
        await server.reload(tmp_path)
