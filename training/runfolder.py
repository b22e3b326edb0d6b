"""A run's folder belongs to one plan: what goes on there is what was begun there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from schemas.errors import OperatorError

__all__ = ["claim_folder"]

PLAN_FILE = "plan.json"


def claim_folder(folder: Path, plan: dict[str, Any]) -> None:
    """Makes the folder this plan's, or finds that it is.

    Raises OperatorError, naming what differs, when another plan was begun in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / PLAN_FILE
    text = json.dumps(plan, indent=1, sort_keys=True)
    if not path.is_file():
        path.write_text(text + "\n")
        return
    before: dict[str, Any] = json.loads(path.read_text())
    now: dict[str, Any] = json.loads(text)
    other = sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
    if other:
        said = "; ".join(f"{key} was {before.get(key)!r}, is {now.get(key)!r}" for key in other)
        raise OperatorError(f"{folder} holds a run of another plan ({said}): name another folder")
