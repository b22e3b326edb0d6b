"""The topics that are made and those that are documented are the same."""

from __future__ import annotations

import json
from pathlib import Path

import schemas
from workers.topics import TopicNames


def test_every_topic_that_is_made_stands_in_the_asyncapi_document_and_no_other() -> None:
    document = json.loads((Path(schemas.__file__).parent / "asyncapi.json").read_bytes())
    assert {channel["address"] for channel in document["channels"].values()} == set(TopicNames.of().all)
