"""The schema files say what the records are: up to date, true of real records, and of use to a reader."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from support import records

import schemas
from schemas.codec import encode
from schemas.deadletters import DeadLetterHeaders, Stage, why_dead
from schemas.errors import PostError
from schemas.generate import CHANNELS, files, schema_of, write
from schemas.posts import Post
from schemas.recognitions import Recognition, entity_records

HERE = Path(schemas.__file__).parent
EXAMPLES: tuple[msgspec.Struct, ...] = (
    records.post(),
    records.post(image=None, created_at=None, source="", lang=""),
    records.recognition(),
    records.recognition(picture=None, created_at=None, entities=()),
    *entity_records(records.recognition()),
    records.trend(),
    records.mention(),
)


def validator(record: type[msgspec.Struct], dialect: str = "2020-12") -> Any:
    kind = {"2020-12": jsonschema.Draft202012Validator, "draft-07": jsonschema.Draft7Validator}[dialect]
    return kind(schema_of(record), format_checker=kind.FORMAT_CHECKER)


@pytest.mark.parametrize("path", files(), ids=str)
def test_the_checked_in_file_is_up_to_date(path: Path) -> None:
    assert (HERE / path).read_bytes() == files()[path], "run: python -m schemas.generate"


def test_a_release_is_frozen_and_never_overwritten(tmp_path: Path) -> None:
    write(tmp_path)
    assert not (tmp_path / "released").exists()
    write(tmp_path, release=True)
    frozen = tmp_path / "released" / "v1" / "post.schema.json"
    assert frozen.read_bytes() == files()[Path("json/post.schema.json")]
    frozen.write_text("as it was")
    write(tmp_path, release=True)
    assert frozen.read_text() == "as it was"
    assert (tmp_path / "released" / "v2" / "post.schema.json").is_file()


def test_no_stray_schema_files() -> None:
    assert {path.relative_to(HERE) for path in HERE.glob("json/*")} == {p for p in files() if p.parent.name}


@pytest.mark.parametrize("dialect", ["2020-12", "draft-07"])
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: type(example).__name__)
def test_real_records_are_valid(example: msgspec.Struct, dialect: str) -> None:
    schema = validator(type(example), dialect)
    schema.check_schema(schema.schema)
    schema.validate(json.loads(encode(example)))


@pytest.mark.parametrize(
    "change",
    [
        {"post_id": ""},
        {"post_id": None},
        {"outcome": {"status": "fine", "reasons": []}},
        {"outcome": {"status": "degraded", "reasons": ["tired"]}},
        {"repairs": {"x": -1}},
        {"timings": {}},
        {"picture": {"sha256": "AB"}},
        {"picture": {"width": 0}},
        {"entities": [{"id": "x"}]},
    ],
    ids=str,
)
def test_the_schema_refuses_what_the_codec_refuses(change: dict[str, Any]) -> None:
    tree = json.loads(encode(records.recognition())) | change
    assert not validator(Recognition).is_valid(tree)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(tree, Recognition)


@pytest.mark.parametrize(
    ("image", "valid"),
    [
        ({"url": "u"}, True),
        ({"data": "d", "url": None}, True),
        (None, True),
        ({}, False),
        ({"url": None}, False),
        ({"url": "u", "path": "p"}, False),
    ],
    ids=str,
)
def test_schema_and_codec_agree_on_exactly_one_source(image: object, valid: bool) -> None:
    tree = {"id": "1", "text": "", "image": image}
    assert validator(Post).is_valid(tree) is valid
    try:
        msgspec.convert(tree, Post)
    except msgspec.ValidationError:
        assert not valid
    else:
        assert valid


def test_dead_letter_headers_are_valid() -> None:
    why = why_dead(
        PostError("x"), topic="t", partition=0, offset=1, stage=Stage.DECODE, attempt=1, reason="r"
    )
    validator(DeadLetterHeaders).validate(msgspec.to_builtins(why))


def test_the_asyncapi_document_is_closed_and_names_every_topic() -> None:
    document = json.loads(files()[Path("asyncapi.json")])
    assert document["asyncapi"].startswith("3.")
    addresses = {channel["address"] for channel in document["channels"].values()}
    mentions = {"sake.mentions.matched", "sake.mentions.dead-letters"}
    assert addresses == {channel.topic for channel in CHANNELS} | {"sake.dead-letters"} | mentions
    operations = {
        operation["channel"]["$ref"]: operation["action"] for operation in document["operations"].values()
    }
    assert operations.pop("#/channels/post") == "receive"
    assert len(operations) == len(addresses) - 1
    assert set(operations.values()) == {"send"}
    for reference in references(document):
        resolve(document, reference)


def references(node: object) -> list[str]:
    if isinstance(node, list):
        return [found for child in node for found in references(child)]
    if not isinstance(node, dict):
        return []
    here = [node["$ref"]] if "$ref" in node else []
    return here + [found for child in node.values() for found in references(child)]


def resolve(document: dict[str, Any], reference: str) -> None:
    file, _, pointer = reference.partition("#")
    if file:
        assert (HERE / file).is_file(), reference
        return
    node: Any = document
    for step in pointer.strip("/").split("/"):
        node = node[step]
