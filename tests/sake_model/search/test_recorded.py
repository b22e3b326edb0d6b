"""A run that was recorded is replayed as it was, pictures included."""

from dataclasses import replace

import pytest
from support.searching import ScriptedProvider, result

from sake_model.deadline import Deadline
from sake_model.search.cache import SearchCache
from sake_model.search.interface import (
    SearchFailed,
    SearchOutcome,
    SearchRefused,
    SearchRequest,
    SearchUnavailable,
)
from sake_model.search.pool import Member, SearchPool
from sake_model.search.recorded import RecordedProvider, RecordingSearch
from schemas.entities import Tool
from schemas.errors import OperatorError

HIT = (replace(result("Nike", query="nike"), picture=b"\x89PNG\x00\xff", attribution="©"),)
NIKE = SearchRequest(Tool.IMAGE, "nike")
NOBODY = SearchRequest(Tool.TEXT, "nobody")


def later() -> Deadline:
    return Deadline.after(5)


class Answers:
    """A search that knows Nike and nothing else, and fails on demand."""

    def __init__(self) -> None:
        self.asked: list[SearchRequest] = []

    async def search(self, request: SearchRequest, deadline: Deadline) -> SearchOutcome:
        self.asked.append(request)
        if request.query == "broken":
            raise SearchUnavailable("down")
        return SearchOutcome(HIT if request.query.strip() == "nike" else (), "somebody")


async def record(path, *requests: SearchRequest) -> None:
    recording = RecordingSearch(Answers(), path)
    for request in requests:
        await recording.search(request, later())
    recording.close()


async def test_hits_and_misses_come_back_whole(tmp_path):
    await record(tmp_path / "run.jsonl", NIKE, NOBODY, NIKE)
    replay = RecordedProvider(tmp_path / "run.jsonl")
    assert await replay.search(NIKE, later()) == HIT
    assert await replay.search(NOBODY, later()) == ()
    assert (tmp_path / "run.jsonl").read_bytes().count(b"\n") == 2


async def test_what_was_not_recorded_is_refused_and_no_miss(tmp_path):
    await record(tmp_path / "run.jsonl", NOBODY)
    replay = RecordedProvider(tmp_path / "run.jsonl")
    with pytest.raises(SearchRefused, match="not in the recording"):
        await replay.search(NIKE, later())
    assert (replay.supports(Tool.TEXT), replay.supports(Tool.IMAGE)) == (True, False)


async def test_a_failed_search_is_not_recorded(tmp_path):
    recording = RecordingSearch(Answers(), tmp_path / "run.jsonl")
    with pytest.raises(SearchUnavailable):
        await recording.search(SearchRequest(Tool.TEXT, "broken"), later())
    recording.close()
    assert (tmp_path / "run.jsonl").read_bytes() == b""


async def test_a_recording_is_continued_also_after_it_was_cut_off(tmp_path):
    path = tmp_path / "run.jsonl"
    await record(path, NIKE, NOBODY)
    path.write_bytes(path.read_bytes()[:-20])
    assert await RecordedProvider(path).search(NIKE, later()) == HIT
    with pytest.raises(SearchRefused):
        await RecordedProvider(path).search(NOBODY, later())
    await record(path, NOBODY)
    assert await RecordedProvider(path).search(NOBODY, later()) == ()


async def test_white_space_does_not_make_another_request(tmp_path):
    await record(tmp_path / "run.jsonl", SearchRequest(Tool.IMAGE, " nike\n"))
    assert await RecordedProvider(tmp_path / "run.jsonl").search(NIKE, later()) == HIT


async def test_a_pool_replays_it(tmp_path):
    await record(tmp_path / "run.jsonl", NIKE)
    broken = ScriptedProvider(SearchFailed("down"), name="broken", tools=(Tool.IMAGE,))
    members = (Member(RecordedProvider(tmp_path / "run.jsonl")), Member(broken))
    async with SearchPool(members, SearchCache(None)) as pool:
        outcome = await pool.search(NIKE, later())
    assert (outcome.results, outcome.provider) == (HIT, "recorded")


def test_a_file_that_is_none_or_broken_is_told(tmp_path):
    with pytest.raises(OperatorError, match="no recording"):
        RecordedProvider(tmp_path / "run.jsonl")
    (tmp_path / "run.jsonl").write_bytes(b"{}\n")
    with pytest.raises(OperatorError, match="line 1"):
        RecordedProvider(tmp_path / "run.jsonl")
