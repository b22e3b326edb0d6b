"""`sake demo` as a person calls it: a real broker, a real worker process, a stand-in for the model."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import msgspec
import orjson
import pytest
from PIL import Image
from support.chat_server import serving
from support.naming_server import NamingServer

from sake_model.checkpoint.manifest import Manifest, write_manifest
from workers.engine_control import ControlAddress

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]


@pytest.fixture
async def environment(tmp_path: Path) -> AsyncIterator[dict[str, str]]:
    """Variables for the command: a home of its own, a named model, no local index to build."""
    model = tmp_path / "model"
    model.mkdir()
    write_manifest(model, Manifest(name="naming", digest="sha256:" + "0" * 64))
    async with serving(NamingServer()) as server:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SAKE_")}
        outside = os.environ.get("SAKE_KAFKA_BOOTSTRAP_SERVERS", "")
        yield kept | {
            "SAKE_HOME": str(tmp_path / "home"),
            "SAKE_MODEL": str(model),
            "SAKE_PROMPTS": "compact",
            "SAKE_ENGINE_URL": server.url,
            "SAKE_SEARCH_PROVIDERS": "none",
            "SAKE_KAFKA_BOOTSTRAP_SERVERS": outside,
        }


async def run(environment: dict[str, str], *arguments: str) -> tuple[int, bytes, str]:
    """Exit code, standard output, standard error."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "workers", "demo", *arguments),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out, err.decode()


def left_running(home: str) -> list[str]:
    """Command lines of processes of this home folder."""
    return [line for _, line in processes(home)]


def processes(home: str) -> list[tuple[int, str]]:
    """Processes whose command line or environment names this home folder: number and command line."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            command = (place / "cmdline").read_bytes()
            told = command + (place / "environ").read_bytes()
        except OSError:
            continue
        if home.encode() in told:
            found.append((int(place.name), command.replace(b"\0", b" ").decode()))
    return found


async def test_our_own_posts_go_through_and_end_as_they_are_meant_to(
    environment: dict[str, str], tmp_path: Path
) -> None:
    code, out, screen = await run(environment, "--json", "--pictures", str(tmp_path / "sheet"))
    assert code == 0, screen
    told = orjson.loads(out)
    assert told["posts"] == told["recognised"] + sum(told["dead_letters"].values()) == 68
    assert told["judgement"]["endings"] == "68 of 68 posts ended as they are meant to"
    assert told["entities"] > 50
    assert "[Spotify PER] billboard in [Berlin PER]" in screen
    assert "dead letter: not_json at decode" in screen
    assert "checkpoint" in screen
    drawn = sorted((tmp_path / "sheet").glob("*.jpg"))
    assert len(drawn) == told["pictures"]
    Image.open(drawn[0]).verify()
    assert left_running(environment["SAKE_HOME"]) == []


async def test_a_limit_a_rate_and_a_folder_of_tweets(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "txt").mkdir()
    (tmp_path / "txt/dev.txt").write_text("IMGID:1\nAda\tB-PER\nsings\tO\n\nIMGID:2\nx\tO\n\nIMGID:3\ny\tO\n")
    code, out, screen = await run(
        environment, "--json", "--limit", "2", "--rate", "5", "--gmner", str(tmp_path)
    )
    assert code == 0, screen
    told = orjson.loads(out)
    assert (told["posts"], told["entities"]) == (2, 1)
    assert told["judgement"] == {"F1, dev": "MNER 1.000 over 2 posts"}


async def test_an_engine_that_runs_with_the_same_home_folder_is_used(environment: dict[str, str]) -> None:
    home = Path(environment["SAKE_HOME"])
    home.mkdir()
    address = ControlAddress("http://127.0.0.1:1", "", os.getpid(), environment.pop("SAKE_ENGINE_URL"))
    (home / "engine.json").write_bytes(msgspec.json.encode(address))
    code, out, screen = await run(environment, "--json", "--limit", "1")
    assert (code, orjson.loads(out)["recognised"]) == (0, 1), screen


async def test_ctrl_c_stops_everything(environment: dict[str, str]) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "workers", "demo", "--rate", "1"),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout is not None
    async for line in process.stdout:
        if b"answer" in line and b"ms" in line:
            break
    assert left_running(environment["SAKE_HOME"])
    process.send_signal(signal.SIGINT)
    rest = await process.stdout.read()
    assert await process.wait() == 130, rest
    assert left_running(environment["SAKE_HOME"]) == []


async def test_killed_with_9_it_leaves_nothing_behind(environment: dict[str, str]) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "workers", "demo", "--rate", "1"),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout is not None
    async for line in process.stdout:
        if b"answer" in line and b"ms" in line:
            break
    process.kill()
    await process.wait()
    deadline = time.monotonic() + 45
    while left_running(environment["SAKE_HOME"]) and time.monotonic() < deadline:
        await asyncio.sleep(0.2)
    assert left_running(environment["SAKE_HOME"]) == []


async def test_an_engine_that_is_not_there_ends_it_with_one_line(environment: dict[str, str]) -> None:
    code, out, screen = await run(environment | {"SAKE_ENGINE_URL": "http://127.0.0.1:1/v1"})
    assert code == 1
    assert "sake: no answer from http://127.0.0.1:1" in screen
    assert "Traceback" not in screen + out.decode()
    assert left_running(environment["SAKE_HOME"]) == []


async def test_kept_running_the_console_shows_a_stream_that_goes_on_until_it_is_stopped(
    environment: dict[str, str],
) -> None:
    process, console, variables = await kept_running(environment)
    assert process.stdout is not None
    assert await panels(console) >= {"posts", "rising", "workers", "lag", "pulse"}
    listed = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "workers", "topics", "list", "--json"),
        env=environment | variables,
        stdout=subprocess.PIPE,
    )
    out, _ = await listed.communicate()
    rows = {row["topic"].rsplit(".", 1)[-1]: row for row in orjson.loads(out)}
    assert rows["posts"]["offsets"] > 6
    process.send_signal(signal.SIGINT)
    rest = await process.stdout.read()
    assert await process.wait() == 0, rest
    assert left_running(environment["SAKE_HOME"]) == []


async def test_when_the_trends_end_so_does_it_and_says_where_to_look(environment: dict[str, str]) -> None:
    process, console, _ = await kept_running(environment)
    assert process.stdout is not None
    await panels(console)
    mine = processes(environment["SAKE_MODEL"])
    (trends,) = [
        pid
        for pid, line in mine
        if line.rstrip().endswith("-m workers worker trends") and "guard" not in line
    ]
    os.kill(trends, signal.SIGKILL)
    rest = (await process.stdout.read()).decode()
    assert await process.wait() == 2
    assert "sake: the worker ended" in rest
    assert "trends.log" in rest
    assert left_running(environment["SAKE_HOME"]) == []


async def kept_running(
    environment: dict[str, str],
) -> tuple[asyncio.subprocess.Process, str, dict[str, str]]:
    """A demo that goes on; its console's address, and the variables that it tells."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "workers", "demo", "--limit", "6", "--keep"),
        env=environment | {"SAKE_CONSOLE_LISTEN_PORT": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout is not None
    variables: dict[str, str] = {}
    console = ""
    async for line in process.stdout:
        if b"The console: " in line:
            console = line.decode().split()[-1]
        if b"  export " in line:
            name, _, value = line.decode().split()[-1].partition("=")
            variables[name] = value
        if b"topics list" in line:
            break
    return process, console, variables


async def panels(console: str) -> set[str]:
    """What the console sends until a post that came again, a trend and three workers were seen."""
    told: set[str] = set()
    async with asyncio.timeout(120), aiohttp.ClientSession() as http, http.get(console + "events") as events:
        name = ""
        async for raw in events.content:
            field, _, value = raw.decode().rstrip("\n").partition(": ")
            name = value if field == "event" else name
            if field != "data":
                continue
            data = orjson.loads(value)
            again = name in ("posts", "history") and any("~" in card["id"] for card in data)
            alive = name == "workers" and sum("trouble" not in worker for worker in data["workers"]) == 3
            if again or alive or name in ("rising", "lag", "pulse"):
                told.add("posts" if again else name)
            if told >= {"posts", "rising", "workers", "lag", "pulse"}:
                break
    return told


@pytest.mark.skipif("SAKE_KAFKA_BOOTSTRAP_SERVERS" in os.environ, reason="kills the embedded broker")
async def test_a_kept_demo_ends_when_its_broker_does_and_names_the_log(environment: dict[str, str]) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "workers", "demo", "--keep", "--limit", "2"),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout is not None
    async for line in process.stdout:
        if b"Ctrl-C stops it" in line:
            break
    await asyncio.sleep(3)  # its readers have begun; before, they would tell that nothing answers them
    (broker,) = (pid for pid, line in processes(environment["SAKE_HOME"]) if "noida-db start" in line)
    os.kill(broker, signal.SIGKILL)
    rest = (await process.stdout.read()).decode()
    assert await process.wait() not in (0, 130), rest
    assert "the embedded broker ended (-9)" in rest
    assert str(Path(environment["SAKE_HOME"]) / "broker/broker.log") in rest
    assert left_running(environment["SAKE_HOME"]) == []
