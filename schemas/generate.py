"""Writes the JSON Schema files and the AsyncAPI document that follow from the record types.

    python -m schemas.generate            # rewrites schemas/json/ and schemas/asyncapi.json
    python -m schemas.generate --release  # also freezes the schemas as the next released version

The keywords used mean the same in JSON Schema draft-07 (AsyncAPI's own dialect) and in 2020-12.
"""

from __future__ import annotations

import inspect
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import orjson

from schemas import headers
from schemas.deadletters import DeadLetterHeaders
from schemas.entities import EntityRecord
from schemas.mentions import Mention
from schemas.posts import Post
from schemas.recognitions import Recognition
from schemas.trends import Trend

__all__ = ["CHANNELS", "Channel", "files", "schema_of", "write"]

HERE = Path(__file__).parent
ASYNCAPI_VERSION = "3.0.0"
KAFKA_BINDING_VERSION = "0.5.0"


@dataclass(frozen=True, slots=True)
class Channel:
    """One topic: what flows on it, under which key, and whether others write or read it."""

    topic: str
    title: str
    record: type[msgspec.Struct]
    event_type: str
    key: str
    incoming: bool = False

    @property
    def slug(self) -> str:
        """File name and component name."""
        return self.topic.removeprefix("sake.").removesuffix("s").replace("entitie", "entity")


CHANNELS = (
    Channel("sake.posts", "Posts to be recognised", Post, headers.POST_EVENT, "post id", incoming=True),
    Channel(
        "sake.recognitions", "What became of each post", Recognition, headers.RECOGNITION_EVENT, "post id"
    ),
    Channel("sake.entities", "Each grounded entity", EntityRecord, headers.ENTITY_EVENT, "normalised name"),
    Channel(
        "sake.trends", "Mentions in a window", Trend, headers.TREND_EVENT, "name|type|window start|length"
    ),
    Channel(
        "sake.mentions", "Watched brands", Mention, headers.MENTION_EVENT, "normalised name of the brand"
    ),
)
# Slug: topic and what lies on it. All are read in the same way.
DEAD_LETTERS = {
    "dead-letter": ("sake.dead-letters", "Posts that cannot be recognised"),
    "mention-dead-letter": (
        "sake.mentions.dead-letters",
        "Recognitions that cannot be matched, and mentions that the webhook did not take",
    ),
}
DEAD_LETTER_SLUG = "dead-letter-headers"
MATCHED, MATCHED_TOPIC = "mention-matched", "sake.mentions.matched"


def schema_of(record: type[msgspec.Struct]) -> dict[str, Any]:
    """The JSON Schema of a record, with what msgspec cannot say added."""
    schema: dict[str, Any] = _both_dialects(msgspec.json.schema(record))
    image = schema.get("$defs", {}).get("ImageSource")
    if image is not None:
        image["oneOf"] = [
            {"required": [name], "properties": {name: {"type": "string"}}} for name in image["properties"]
        ]
    return schema


def files() -> dict[Path, bytes]:
    """Every generated file: path below this package → content."""
    schemas = {channel.slug: schema_of(channel.record) for channel in CHANNELS}
    schemas[DEAD_LETTER_SLUG] = schema_of(DeadLetterHeaders)
    made = {Path("json") / f"{slug}.schema.json": _pretty(schema) for slug, schema in schemas.items()}
    made[Path("asyncapi.json")] = _pretty(_asyncapi())
    return made


def _both_dialects(node: Any) -> Any:
    # A tuple of equal parts is {"prefixItems": [s, s], "items": false} in 2020-12 only;
    # {"items": s} beside the lengths that stand there anyway says the same in both dialects.
    if isinstance(node, list):
        return [_both_dialects(child) for child in node]
    if not isinstance(node, dict):
        return node
    node = {key: _both_dialects(child) for key, child in node.items()}
    if isinstance(node.get("description"), str):
        node["description"] = inspect.cleandoc(node["description"])
    parts = node.pop("prefixItems", None)
    if parts is not None:
        if any(part != parts[0] for part in parts):
            raise ValueError("only tuples of equal parts can be said in both dialects")
        node["items"] = parts[0]
    return node


def _asyncapi() -> dict[str, Any]:
    return {
        "asyncapi": ASYNCAPI_VERSION,
        "info": {
            "title": "sake-stream",
            "version": "1.0.0",
            "description": "Posts in; recognitions, entities, trends, mentions and dead letters out. "
            "Topic names carry a prefix that the operator can set; `sake.` is the default.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": headers.CONTENT_TYPE,
        "channels": {
            **{channel.slug: _channel(channel.topic, channel.title, channel.slug) for channel in CHANNELS},
            **{slug: _channel(topic, title, slug) for slug, (topic, title) in DEAD_LETTERS.items()},
            MATCHED: _channel(MATCHED_TOPIC, "Mentions before copies are folded; internal", MATCHED),
        },
        "operations": {
            **{_operation_name(channel): _operation(channel.slug, channel.incoming) for channel in CHANNELS},
            **{
                f"send{slug.title().replace('-', '')}": _operation(slug, incoming=False)
                for slug in DEAD_LETTERS
            },
            "sendMentionMatched": _operation(MATCHED, incoming=False),
        },
        "components": {
            "messages": {
                **{channel.slug: _message(channel) for channel in CHANNELS},
                **{slug: _dead_letter_message(slug) for slug in DEAD_LETTERS},
                MATCHED: _matched_message(),
            },
            "messageTraits": {"cloudEvent": {"headers": _event_headers_schema()}},
        },
    }


def _channel(topic: str, title: str, slug: str) -> dict[str, Any]:
    return {
        "address": topic,
        "title": title,
        "messages": {slug: {"$ref": f"#/components/messages/{slug}"}},
        "bindings": {"kafka": {"topic": topic, "bindingVersion": KAFKA_BINDING_VERSION}},
    }


def _operation_name(channel: Channel) -> str:
    return f"{'receive' if channel.incoming else 'send'}{channel.slug.title()}"


def _operation(slug: str, incoming: bool) -> dict[str, Any]:
    return {
        "action": "receive" if incoming else "send",
        "channel": {"$ref": f"#/channels/{slug}"},
        "messages": [{"$ref": f"#/channels/{slug}/messages/{slug}"}],
    }


def _message(channel: Channel) -> dict[str, Any]:
    return {
        "name": channel.event_type,
        "title": channel.record.__name__,
        "contentType": headers.CONTENT_TYPE,
        "payload": {"$ref": f"./json/{channel.slug}.schema.json"},
        "traits": [{"$ref": "#/components/messageTraits/cloudEvent"}],
        "bindings": {"kafka": _key_binding(channel.key)},
    }


def _matched_message() -> dict[str, Any]:
    return {
        "name": MATCHED,
        "title": "A brand in one post",
        "description": "From one stage of the mentions worker to the next, so that any may restart alone. "
        "Nothing of its shape is promised: read sake.mentions.",
        "contentType": headers.CONTENT_TYPE,
        "payload": {"type": "object"},
        "bindings": {"kafka": _key_binding("normalised name of the brand")},
    }


def _dead_letter_message(slug: str) -> dict[str, Any]:
    return {
        "name": slug,
        "title": "Dead letter",
        "description": "The original value, byte for byte, whatever it was; the headers say what went wrong. "
        "The original's own headers are kept beside them.",
        "contentType": "application/octet-stream",
        "headers": {"$ref": f"./json/{DEAD_LETTER_SLUG}.schema.json"},
        "bindings": {"kafka": _key_binding("the original key")},
    }


def _key_binding(what: str) -> dict[str, Any]:
    return {"key": {"type": "string", "description": what}, "bindingVersion": KAFKA_BINDING_VERSION}


def _event_headers_schema() -> dict[str, Any]:
    text = {"type": "string", "minLength": 1}
    return {
        "type": "object",
        "description": "CloudEvents 1.0, Kafka binding, binary mode; optional on posts.",
        "properties": {
            "ce_specversion": {"const": headers.SPEC_VERSION},
            "ce_type": text,
            "ce_source": text,
            "ce_id": text,
            "ce_time": {"type": "string", "format": "date-time"},
            "ce_position": {
                "type": "string",
                "pattern": "^[0-9]+:[0-9]+$",
                "description": "partition:offset of the record that this one was made from, where ce_source "
                "names a topic",
            },
            "content-type": {"const": headers.CONTENT_TYPE},
            "traceparent": {"type": "string", "description": "W3C Trace Context"},
        },
    }


def _pretty(tree: Any) -> bytes:
    return orjson.dumps(tree, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def write(root: Path, *, release: bool = False) -> None:
    """Writes the files below `root`; with `release` also freezes the schemas as `released/v<next>/`."""
    for path, content in files().items():
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_bytes(content)
    if not release:
        return
    version = 1 + len(list((root / "released").glob("v*")))
    target = root / "released" / f"v{version}"
    target.mkdir(parents=True)
    for path in (root / "json").glob("*.schema.json"):
        (target / path.name).write_bytes(path.read_bytes())


if __name__ == "__main__":
    write(HERE, release="--release" in sys.argv[1:])
