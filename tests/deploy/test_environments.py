"""How the environments are made: wheels that pip takes, stamps, and what is said when torch is missing."""

import base64
import csv
import hashlib
import importlib.util
import sys
import zipfile
from pathlib import Path

import pytest

DEPLOY = Path(__file__).parents[2] / "deploy"


@pytest.fixture(scope="module")
def cpu_wheels():
    return load("cpu_wheels")


@pytest.fixture(scope="module")
def lock(cpu_wheels):
    return load("lock")


@pytest.fixture
def environments(cpu_wheels, lock, tmp_path, monkeypatch):
    module = load("environments")
    monkeypatch.setattr(module, "WHEELS", tmp_path / "wheels")
    return module


def load(name: str):
    spec = importlib.util.spec_from_file_location(name, DEPLOY / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def test_a_wheel_holds_what_its_record_says(cpu_wheels, tmp_path):
    wheel = cpu_wheels.write_wheel(tmp_path, "thing", "1.0+local", {"thing/__init__.py": b"x = 1\n"})
    assert wheel.name == "thing-1.0+local-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        rows = list(csv.reader(archive.read("thing-1.0+local.dist-info/RECORD").decode().splitlines()))
        assert {row[0] for row in rows} == set(archive.namelist())
        for path, digest, size in rows[:-1]:
            data = archive.read(path)
            found = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            assert (digest, int(size)) == (f"sha256={found}", len(data))
    first = wheel.read_bytes()
    cpu_wheels.write_wheel(tmp_path, "thing", "1.0+local", {"thing/__init__.py": b"x = 1\n"})
    assert wheel.read_bytes() == first, "the same input gives the same bytes"


def test_torchvision_loses_its_operators_and_keeps_its_licence(cpu_wheels, tmp_path):
    source = tmp_path / "torchvision-0.28.0-cp311-cp311-linux_x86_64.whl"
    with zipfile.ZipFile(source, "w") as archive:
        archive.writestr("torchvision/__init__.py", "")
        archive.writestr("torchvision/extension.py", "import torch\n")
        archive.writestr("torchvision/_C.so", "binary")
        archive.writestr("torchvision/image.abi3.so", "binary")
        archive.writestr("torchvision.libs/libjpeg.so.8", "binary")
        archive.writestr("torchvision-0.28.0.dist-info/METADATA", "Requires-Dist: nvidia-cuda")
        archive.writestr("torchvision-0.28.0.dist-info/LICENSE", "BSD 3-Clause")
    files = cpu_wheels._edited(source, cpu_wheels._without_compiled_operators)
    assert set(files) == {
        "torchvision/__init__.py",
        "torchvision/extension.py",
        "torchvision-0.28.0+cpu.noops.dist-info/licenses/LICENSE",
    }
    assert b"define(" in files["torchvision/extension.py"]


def test_an_up_to_date_environment_is_left_alone(environments, tmp_path, monkeypatch):
    source = tmp_path / "constraints.txt"
    source.write_text("a==1\n")
    environment = environments.Environment("stream", tmp_path / "venv", (source,))
    (environment.folder / "bin").mkdir(parents=True)
    Path(environment.python).touch()
    made = []
    monkeypatch.setattr(environments, "install_locked", made.append)
    for _ in range(2):
        environments.make(environment, force=False)
    assert len(made) == 1
    source.write_text("a==2\n")
    environments.make(environment, force=False)
    environments.make(environment, force=True)
    assert len(made) == 3


def test_a_broken_install_is_not_taken_for_a_finished_one(environments, tmp_path, monkeypatch):
    environment = environments.Environment("stream", tmp_path / "venv", ())
    (environment.folder / "bin").mkdir(parents=True)
    Path(environment.python).touch()

    def fails(_) -> None:
        raise environments.SetupError("no")

    monkeypatch.setattr(environments, "install_locked", fails)
    for _ in range(2):
        with pytest.raises(environments.SetupError):
            environments.make(environment, force=False)


def test_real_cpu_builds_are_taken_where_pip_finds_them(environments, monkeypatch):
    real = {"torch==2.13.0+cpu", "torchvision==0.28.0+cpu", "torchcodec==0.14.0+cpu"}
    built = []
    monkeypatch.setattr(environments, "available", lambda requirement: requirement in real)
    monkeypatch.setattr(environments.cpu_wheels, "build", lambda out, name, python: built.append(name))
    assert environments.cpu_pins() == {
        "torch": "2.13.0+cpu",
        "torchvision": "0.28.0+cpu",
        "torchaudio": "2.11.0+none",
        "torchcodec": "0.14.0+cpu",
        "triton": "3.9.0+none",
        "vllm": "0.32.0+cpu",
    }
    assert built == ["torchaudio", "triton", "vllm"]


def test_without_a_cpu_torch_it_says_what_to_add(environments, monkeypatch, capsys):
    monkeypatch.setattr(environments, "available", lambda requirement: False)
    with pytest.raises(environments.SetupError, match="PIP_EXTRA_INDEX_URL"):
        environments.cpu_pins()


def test_a_model_environment_has_the_versions_of_its_lock_but_for_what_is_built_here(environments, lock):
    local = {"torch": "2.13.0+cpu", "triton": "3.9.0+none", "vllm": "0.32.0+cpu"}
    cpu = dict(pin.split("==") for pin in environments.model_pins(local) if ";" not in pin)
    gpu = dict(pin.split("==") for pin in environments.model_pins({}) if ";" not in pin)
    assert local.items() <= cpu.items()
    assert gpu["vllm"] == lock.VLLM
    assert "+" not in gpu["torch"]
    for name, pins in (("model-cpu", cpu), ("model-gpu", gpu)):
        locked = dict(pin.split("==") for pin in lock.pins(lock.FOLDER / f"{name}.txt"))
        assert locked.items() <= pins.items()
    assert cpu["pytest"] == gpu["pytest"]
