"""The topics that are made and those that are documented are the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import schemas
from schemas.errors import OperatorError
from workers import topics
from workers.connection import KafkaConnection
from workers.topics import TopicNames


def test_every_topic_that_is_made_stands_in_the_asyncapi_document_and_no_other() -> None:
    document = json.loads((Path(schemas.__file__).parent / "asyncapi.json").read_bytes())
    assert {channel["address"] for channel in document["channels"].values()} == set(TopicNames.of().all)


async def test_a_topic_that_is_missing_is_named_with_what_is_called_nearly_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def there(_: KafkaConnection) -> dict[str, int]:
        return {"sake.posts": 4, "sake.recognitions": 4}

    monkeypatch.setattr(topics, "describe_topics", there)
    with pytest.raises(
        OperatorError, match=r"sake\.postz \(did you mean sake\.posts\?\), other\.posts; make"
    ):
        await topics.check_topics(KafkaConnection("kafka1:9092"), ("sake.postz", "other.posts"))
