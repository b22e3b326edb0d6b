"""Images: built from complete locks, from bases of one version, without root."""

from __future__ import annotations

import importlib.util
import itertools
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from support.manifests import DEPLOY, OVERLAYS, containers, rendered

ROOT = DEPLOY.parent
DOCKERFILES = sorted((DEPLOY / "images").glob("*.Dockerfile"))
LOCKS = sorted((DEPLOY / "locks").glob("*.txt"))

PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)( ; [^\\]+)? \\$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")
# A tag that names one release: v0.32.0, 3.11.14-slim-bookworm, 2026.10.2-19ffbcd30.
VERSION = re.compile(r"^v?\d+\.\d+\.\d+[\w.-]*$")

LIGHT = ("torch", "vllm", "transformers", "triton", "nvidia-", "numpy", "pytest", "hypothesis", "mypy")


@pytest.fixture(scope="module")
def lock() -> Any:
    for name in ("cpu_wheels", "lock"):
        spec = importlib.util.spec_from_file_location(name, DEPLOY / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules["lock"]


def versions(path: Path) -> dict[str, str]:
    found = (PINNED.match(line) for line in path.read_text().splitlines())
    return {plain(one[1]): one[2] for one in found if one}


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_every_line_of_a_lock_is_a_version_or_a_hash(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert lines[0].startswith("# ")
    for before, line in itertools.pairwise(lines):
        assert PINNED.match(line) or HASH.match(line), line
        if PINNED.match(before):
            assert HASH.match(line), f"{before} has no hash"
    assert "://" not in path.read_text(), "no address of an index"


def test_there_is_a_file_for_every_lock(lock: Any) -> None:
    assert {each.path for each in lock.LOCKS} == set(LOCKS)


def test_locks_give_what_the_project_asks_for(lock: Any) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for each in lock.LOCKS:
        there = versions(each.path)
        asked = [*project["dependencies"], *lock_extras(project, each.extras)]
        for text in asked:
            requirement = Requirement(text)
            version = there.get(plain(requirement.name))
            assert version is not None, f"{each.name} lacks {requirement.name}: run `make lock`"
            assert requirement.specifier.contains(version, prereleases=True), f"{text}: run `make lock`"


def lock_extras(project: dict[str, Any], extras: tuple[str, ...]) -> list[str]:
    return [text for extra in extras for text in project["optional-dependencies"][extra]]


def test_locks_that_are_installed_together_agree() -> None:
    whole = versions(DEPLOY / "locks" / "stream-dev.txt")
    for name in ("stream", "deploy"):
        part = versions(DEPLOY / "locks" / f"{name}.txt")
        assert {each: part[each] for each in part.keys() & whole} == {
            each: whole[each] for each in part.keys() & whole
        }
    assert versions(DEPLOY / "locks" / "stream.txt").keys() <= whole.keys()


def test_the_workers_image_is_light() -> None:
    heavy = [
        name
        for name in versions(DEPLOY / "locks" / "stream.txt")
        if any(name == each or (each.endswith("-") and name.startswith(each)) for each in LIGHT)
    ]
    assert heavy == []


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.stem)
class TestDockerfiles:
    def test_bases_have_one_version(self, path: Path) -> None:
        text = path.read_text()
        images = re.findall(r"^FROM (?:--\S+ )?(\S+)", text, re.M) + re.findall(r"COPY --from=(\S+)", text)
        stages = set(re.findall(r"^FROM .* AS (\w+)", text, re.M))
        arguments = dict(re.findall(r"^ARG (\w+)=(\S+)", text, re.M))
        for image in images:
            name = arguments.get(image.strip("${}"), image)
            if name not in stages:
                assert VERSION.match(name.rpartition(":")[2]), f"{name} can change under one's feet"

    def test_packages_come_from_a_lock_with_hashes(self, path: Path) -> None:
        installs = re.findall(r"pip install (.*?)(?:\\?\n(?!\s)|&&|;|$)", path.read_text(), re.S)
        assert installs
        for arguments in installs:
            assert any(
                word in arguments for word in ("--require-hashes", "--no-deps .", "--no-deps --no-index")
            ), arguments

    def test_what_it_copies_gets_into_the_build(self, path: Path) -> None:
        ignored = (path.parent / f"{path.name}.dockerignore").read_text().splitlines()
        let_in = {line[1:] for line in ignored if line.startswith("!")}
        assert ignored[1] == "*"
        for sources in re.findall(r"^COPY (?!--from)(.+) \S+$", path.read_text(), re.M):
            for source in sources.replace("${VARIANT}", "cpu").split():
                assert (ROOT / source).exists(), source
                assert any(source == each or source.startswith(f"{each}/") for each in let_in), source

    def test_it_does_not_run_as_root(self, path: Path) -> None:
        last = path.read_text().rpartition("\nFROM ")[2]
        assert re.search(r"^USER 10001:10001$", last, re.M)
        assert "--uid 10001" in last

    def test_its_settings_are_settings(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from workers.settings import load_settings  # noqa: PLC0415 - needs the stream environment

        for name, value in re.findall(r"(SAKE_\w+)=(\S+)", path.read_text()):
            if name != "SAKE_HOME" or value.startswith("/var"):
                monkeypatch.setenv(name, value)
        load_settings()


def test_images_of_others_have_one_version() -> None:
    yaml = pytest.importorskip("yaml", reason="make setup-deploy")
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    images = {each["image"] for each in services.values() if "image" in each}
    images |= {container["image"] for overlay in OVERLAYS for _, container in containers(rendered(overlay))}
    for image in images:
        name, _, tag = image.partition(":")
        assert name == "sake-stream" or VERSION.match(tag), image
    # The same release of a thing in both places.
    tags: dict[str, set[str]] = {}
    for image in images:
        name, _, tag = image.partition(":")
        tags.setdefault(name, set()).add(tag)
    assert [name for name, each in tags.items() if len(each) > 1 and name != "sake-stream"] == []
