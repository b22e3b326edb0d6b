"""The hand-made cases of brand matching: posts with their true entities, and which brands those are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from support.records import NOON

from schemas.entities import Evidence, GroundedEntity, Knowledge, Span, Tool
from schemas.ids import entity_id

__all__ = ["FOLDER", "Case", "read_cases"]

FOLDER = Path(__file__).parents[1] / "workers" / "mentions" / "cases"
FILES = ("homonyms.yaml", "writings.yaml", "conditions.yaml")
MARK = re.compile(r"⟦(.+?)\|([\w]+)(,box)?(?:\|([^⟧]+))?⟧")


@dataclass(frozen=True, slots=True)
class Case:
    """One post: its text without the marks, its entities, and the brand that each one is ("" = none)."""

    text: str
    lang: str
    entities: tuple[GroundedEntity, ...]
    expected: tuple[str, ...]
    place: str
    """`file:number`, for a failure's message."""


def read_cases() -> list[Case]:
    """All cases, file after file."""
    return [
        case_of(each, f"{name}:{number}")
        for name in FILES
        for number, each in enumerate(yaml.safe_load((FOLDER / name).read_text())["cases"], 1)
    ]


def case_of(raw: dict[str, Any], place: str) -> Case:
    marked, text, end = raw["text"], "", 0
    entities, expected = [], []
    for mark in MARK.finditer(marked):
        text += marked[end : mark.start()]
        exact, type_, box, brand = mark.groups()
        found = tuple(evidence(line) for line in raw.get("evidence", {}).get(exact, ()))
        entities.append(
            GroundedEntity(
                id=entity_id(place, len(text), len(text) + len(exact), type_),
                span=Span(len(text), len(text) + len(exact), exact),
                type=type_,
                box_px=(1.0, 1.0, 9.0, 9.0) if box else None,
                knowledge=Knowledge.TEXT if found else Knowledge.INTERNAL,
                evidence=found,
            )
        )
        expected.append(brand or "")
        text += exact
        end = mark.end()
    text += marked[end:]
    assert "⟦" not in text, f"{place}: a mark that cannot be read: {text}"
    return Case(text, raw.get("lang", "en"), tuple(entities), tuple(expected), place)


def evidence(line: str) -> Evidence:
    title, _, snippet = line.partition(": ")
    return Evidence(
        tool=Tool.TEXT,
        provider="local",
        query=title,
        title=title,
        url="https://encyclopedia.example/",
        snippet=snippet,
        retrieved_at=NOON,
    )
