"""Dead letters: what they carry, and how many are too many."""

from __future__ import annotations

import pytest

from schemas.codec import NotJson
from schemas.deadletters import DeadLetter, Stage
from schemas.errors import Fault, PostError
from workers.recognise.letters import (
    DeadLetterLimit,
    DeadLetterLimits,
    Failure,
    TooManyDeadLetters,
    dead_letter,
)
from workers.recognise.messages import InMessage, StagedPostError


def message() -> InMessage:
    return InMessage(
        "sake.posts", 3, 17, 0, b"key", b"\xff\x00 raw", (("origin", b"\x01"), ("origin", b"\x02"))
    )


def test_the_original_is_kept_byte_for_byte_with_the_reason_beside_it() -> None:
    failure = Failure.of(StagedPostError(Stage.DECODE, NotJson("what is this")), attempt=1)
    out = dead_letter(message(), failure, topic="sake.dead-letters", worker="worker-9")
    assert (out.topic, out.key, out.value) == ("sake.dead-letters", b"key", b"\xff\x00 raw")
    letter = DeadLetter.read(out.key, out.value, out.headers)
    assert letter.headers == message().headers
    why = letter.why
    assert (why.topic, why.partition, why.offset, why.attempt) == ("sake.posts", 3, 17, 1)
    assert (why.stage, why.fault, why.reason, why.worker) == (
        Stage.DECODE,
        Fault.POST,
        "not_json",
        "worker-9",
    )
    assert why.exception_class_name == "schemas.codec.NotJson"
    assert why.exception_message == "what is this"


def test_a_tombstone_without_a_key_can_be_one() -> None:
    empty = InMessage("t", 0, 0, 0, None, None, ())
    out = dead_letter(empty, Failure.of(PostError("no"), attempt=2), topic="d", worker="w")
    assert DeadLetter.read(out.key, out.value, out.headers).why.attempt == 2


def test_a_bug_is_named_and_tells_where_it_happened() -> None:
    try:
        {}["missing"]
    except KeyError as error:
        failure = Failure.of(error, attempt=1)
    letter = DeadLetter.read(None, None, dead_letter(message(), failure, topic="d", worker="w").headers)
    assert letter.why.reason == "unexpected_error"
    assert letter.why.exception_class_name == "builtins.KeyError"
    assert "test_letters.py" in letter.why.exception_stacktrace


def test_dead_letters_in_a_row_are_limited() -> None:
    limit = DeadLetterLimit(DeadLetterLimits(max_consecutive=2))
    for dead in (True, True, False, True, True):
        limit.see(dead)
    with pytest.raises(TooManyDeadLetters, match="3 posts in a row"):
        limit.see(True)


def test_the_share_of_dead_letters_is_limited_once_enough_was_seen() -> None:
    limit = DeadLetterLimit(DeadLetterLimits(max_consecutive=0, max_ratio=0.5, ratio_posts=4))
    for dead in (True, True, True, False, False, True, False, True):
        limit.see(dead)  # 3 of 4 at the first four, but the last one was well; then 2 of 4
    with pytest.raises(TooManyDeadLetters, match="3 of the last 4"):
        limit.see(True)


def test_no_limits_at_all() -> None:
    limit = DeadLetterLimit(DeadLetterLimits(max_consecutive=0, max_ratio=1.0, ratio_posts=2))
    for _ in range(100):
        limit.see(True)
