"""The Kubernetes objects of deploy/, as they are written and as Kustomize puts them together."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

__all__ = ["DEPLOY", "KUBERNETES", "OVERLAYS", "containers", "of_kind", "pods", "rendered"]

DEPLOY = Path(__file__).parents[2] / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
OVERLAYS = ("gpu", "cpu", "backfill")

Object = dict[str, Any]


@cache
def rendered(overlay: str) -> tuple[Object, ...]:
    """What `kubectl apply -k` would send. Skips where there is no kubectl."""
    return kustomized(KUBERNETES / "overlays" / overlay)


def kustomized(folder: Path) -> tuple[Object, ...]:
    """A folder with a kustomization, put together. Skips where there is no kubectl."""
    import yaml  # noqa: PLC0415 - in the deploy extra

    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl (1.25 or later) is not installed")
    done = subprocess.run([kubectl, "kustomize", str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return tuple(yaml.safe_load_all(done.stdout))


def of_kind(objects: tuple[Object, ...], *kinds: str) -> dict[str, Object]:
    """The objects of these kinds, by name."""
    return {each["metadata"]["name"]: each for each in objects if each["kind"] in kinds}


def pods(objects: tuple[Object, ...]) -> dict[str, Object]:
    """The pod templates of everything that makes pods, by its name."""
    makers = of_kind(objects, "Deployment", "StatefulSet", "Job", "CronJob", "DaemonSet")
    return {name: each["spec"]["template"] for name, each in makers.items()}


def containers(objects: tuple[Object, ...]) -> list[tuple[str, Object]]:
    """Every container, those that only prepare included, with the name of what makes its pod."""
    return [
        (name, container)
        for name, pod in pods(objects).items()
        for kind in ("initContainers", "containers")
        for container in pod["spec"].get(kind, ())
    ]
