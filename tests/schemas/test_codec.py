"""The codec: good records come back equal, bad bytes are refused with a message that says where."""

from __future__ import annotations

import contextlib
import json
from datetime import timedelta, timezone

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import records

from schemas.codec import (
    CodecError,
    DuplicateKey,
    NotJson,
    NotTheSchema,
    TooLarge,
    decode,
    decode_post,
    encode,
)
from schemas.errors import Fault, PostError
from schemas.posts import MAX_TEXT_CHARS, Post
from schemas.recognitions import Recognition, entity_records

GOOD = b'{"id":"1","text":"hello"}'

BAD_POSTS: list[tuple[str, bytes | None, type[CodecError], str]] = [
    ("tombstone", None, NotJson, "tombstone"),
    ("empty", b"", NotJson, "zero-length"),
    ("white space only", b" \n", NotJson, "not JSON"),
    ("zero byte", b"\x00", NotJson, "not JSON"),
    ("byte order mark", b"\xef\xbb\xbf" + GOOD, NotJson, "BOM"),
    ("UTF-16", GOOD.decode().encode("utf-16"), NotJson, "not JSON"),
    ("cut off", GOOD[:-3], NotJson, "not JSON"),
    ("garbage behind", GOOD + b"x", NotJson, "after document"),
    ("two documents", GOOD + GOOD, NotJson, "after document"),
    ("single quotes", b"{'id':'1','text':'x'}", NotJson, "not JSON"),
    ("trailing comma", b'{"id":"1","text":"x",}', NotJson, "not JSON"),
    ("comment", b'{"id":"1",/* */"text":"x"}', NotJson, "not JSON"),
    ("invalid UTF-8 in a field", b'{"id":"1","text":"\xff"}', NotJson, "UTF-8"),
    ("invalid UTF-8 in an unknown field", b'{"id":"1","text":"x","n":"\xff"}', NotJson, "UTF-8"),
    ("overlong UTF-8", b'{"id":"1","text":"\xc0\xaf"}', NotJson, "UTF-8"),
    ("surrogate in UTF-8", b'{"id":"1","text":"\xed\xa0\x80"}', NotJson, "UTF-8"),
    ("lone high surrogate", b'{"id":"1","text":"\\ud83d"}', NotJson, "surrogate"),
    ("lone low surrogate", b'{"id":"1","text":"\\ude00 x"}', NotJson, "not JSON"),
    ("raw control character", b'{"id":"1","text":"a\x01b"}', NotJson, "control character"),
    ("raw null byte", b'{"id":"1","text":"a\x00b"}', NotJson, "control character"),
    ("escaped null", b'{"id":"1","text":"a\\u0000b"}', NotTheSchema, "`$.text`"),
    ("NaN", b'{"id":"1","text":"x","n":NaN}', NotJson, "not JSON"),
    ("Infinity", b'{"id":"1","text":"x","n":Infinity}', NotJson, "not JSON"),
    ("number beyond a double", b'{"id":"1","text":"x","n":1e999}', NotJson, "infinity"),
    ("integer of 5,000 digits", b'{"id":"1","text":"x","n":' + b"9" * 5000 + b"}", NotJson, "infinity"),
    ("array bomb", b"[" * 200_000, NotJson, "depth"),
    ("object bomb", b'{"a":' * 200_000, NotJson, "depth"),
    ("closed bomb", b'{"id":"1","text":"x","n":' + b"[" * 900 + b"]" * 900 + b"}", NotJson, "levels deep"),
    ("array", b"[]", NotTheSchema, "Expected `object`"),
    ("string", b'"post"', NotTheSchema, "Expected `object`"),
    ("number", b"1", NotTheSchema, "Expected `object`"),
    ("null", b"null", NotTheSchema, "Expected `object`"),
    ("no id", b'{"text":"x"}', NotTheSchema, "`id`"),
    ("no text", b'{"id":"1"}', NotTheSchema, "`text`"),
    ("id is a number", b'{"id":1,"text":"x"}', NotTheSchema, "`$.id`"),
    ("id is empty", b'{"id":"","text":"x"}', NotTheSchema, "`$.id`"),
    ("id is too long", orjson.dumps({"id": "x" * 513, "text": ""}), NotTheSchema, "`$.id`"),
    ("id holds a line break", b'{"id":"1\\n2","text":"x"}', NotTheSchema, "`$.id`"),
    ("text is null", b'{"id":"1","text":null}', NotTheSchema, "`$.text`"),
    ("text is a list", b'{"id":"1","text":["x"]}', NotTheSchema, "`$.text`"),
    (
        "text is too long",
        orjson.dumps({"id": "1", "text": "x" * (MAX_TEXT_CHARS + 1)}),
        NotTheSchema,
        "`$.text`",
    ),
    ("image is a string", b'{"id":"1","text":"x","image":"a.jpg"}', NotTheSchema, "`$.image`"),
    ("image without a source", b'{"id":"1","text":"x","image":{}}', NotTheSchema, "exactly one"),
    ("image with two", b'{"id":"1","text":"x","image":{"url":"a","data":"b"}}', NotTheSchema, "exactly one"),
    ("image url is a number", b'{"id":"1","text":"x","image":{"url":1}}', NotTheSchema, "`$.image.url`"),
    ("time is a number", b'{"id":"1","text":"x","created_at":1}', NotTheSchema, "`$.created_at`"),
    ("time is no time", b'{"id":"1","text":"x","created_at":"today"}', NotTheSchema, "`$.created_at`"),
    (
        "time without offset",
        b'{"id":"1","text":"x","created_at":"2026-01-01T00:00:00"}',
        NotTheSchema,
        "timezone",
    ),
    (
        "time of month 13",
        b'{"id":"1","text":"x","created_at":"2026-13-01T00:00:00Z"}',
        NotTheSchema,
        "created_at",
    ),
    ("key twice", b'{"id":"1","text":"x","id":"2"}', DuplicateKey, "'id'"),
    ("key twice, once escaped", b'{"id":"1","text":"x","\\u0069d":"2"}', DuplicateKey, "'id'"),
    ("key twice, colons hidden", b'{"id":"1","text":"\\u003a","id":"2"}', DuplicateKey, "'id'"),
    ("key twice, deep inside", b'{"id":"1","text":"x","n":[{"a":1,"b":{"c":1,"c":2}}]}', DuplicateKey, "'c'"),
    ("key twice, blanks before colons", b'{"id" : "1","text" :"x","id"\n:"2"}', DuplicateKey, "'id'"),
]


@pytest.mark.parametrize(
    ("value", "error", "says"), [case[1:] for case in BAD_POSTS], ids=[c[0] for c in BAD_POSTS]
)
def test_bad_bytes_are_refused_with_the_place(
    value: bytes | None, error: type[CodecError], says: str
) -> None:
    with pytest.raises(CodecError) as caught:
        decode_post(value)
    assert type(caught.value) is error
    assert says in str(caught.value)
    assert isinstance(caught.value, PostError)
    assert caught.value.fault is Fault.POST


def test_a_large_message_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(TooLarge, match="26 bytes, at most 25"):
        decode_post(b"not even JSON, but 26 byte", max_bytes=25)
    assert decode_post(GOOD, max_bytes=len(GOOD)).text == "hello"


def test_error_messages_of_a_large_post_stay_short() -> None:
    with pytest.raises(CodecError) as caught:
        decode_post(orjson.dumps({"id": "1", "text": ["x" * 1_000_000]}))
    assert len(str(caught.value)) < 200


def test_unknown_fields_and_colons_in_texts_are_fine() -> None:
    text = "see: https://a.example/b:c 😀 \\u003a \\ud83d\\ude00"
    raw = '{"id":"1","text":"' + text + '","user":{"id":7,"tags":[{"id":1},{"id":2}]}}'
    assert decode_post(raw.encode()) == Post(id="1", text="see: https://a.example/b:c 😀 : 😀")


def test_an_explicit_null_is_the_same_as_nothing() -> None:
    post = decode_post(b'{"id":"1","text":"","image":{"url":"u","data":null},"created_at":null}')
    assert post.image is not None
    assert (post.image.url, post.image.data, post.created_at) == ("u", None, None)


@pytest.mark.parametrize(
    "record",
    [
        records.post(),
        records.recognition(),
        *entity_records(records.recognition()),
        records.trend(),
        records.mention(),
    ],
    ids=lambda record: type(record).__name__,
)
def test_every_record_comes_back_equal(record: msgspec.Struct) -> None:
    assert decode(encode(record), type(record)) == record


# RFC 3339 has whole minutes.
OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=80),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20),
    st.one_of(st.none(), st.datetimes(timezones=OFFSETS)),
)
def test_any_post_comes_back_equal(text: str, id_: str, created_at: object) -> None:
    post = records.post(text, id=id_, created_at=created_at)
    assert decode_post(encode(post)) == post
    # Other writers escape differently and put blanks anywhere.
    assert decode_post(json.dumps(json.loads(encode(post)), indent=1).encode()) == post


@given(st.binary(max_size=60))
def test_any_bytes_are_a_post_or_refused(value: bytes) -> None:
    with contextlib.suppress(CodecError):
        decode_post(value)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["id", "text", "image", "created_at", "source", "lang", "x:"]), JSON))
def test_any_json_is_a_post_or_not_the_schema(tree: dict[str, object]) -> None:
    try:
        decode_post(json.dumps(tree).encode())
    except NotJson as error:
        # What is JSON for Python but not for us: half surrogate pairs, numbers beyond a double.
        assert "surrogate" in str(error) or "infinity" in str(error)  # noqa: PT017
    except CodecError as error:
        assert not isinstance(error, DuplicateKey)  # noqa: PT017


def test_a_record_that_could_not_be_read_back_is_not_written() -> None:
    good = records.recognition()
    timings = msgspec.structs.replace(good.timings, total_ms=float("nan"))
    with pytest.raises(NotTheSchema, match="total_ms"):
        encode(msgspec.structs.replace(good, timings=timings))
    with pytest.raises(NotTheSchema, match="recognised_at"):
        encode(msgspec.structs.replace(good, recognised_at=records.NOON.replace(tzinfo=None)))
    with pytest.raises(NotTheSchema, match="not a Post"):
        encode(records.post("\ud83d"))
    with pytest.raises(TooLarge, match="at most 100"):
        encode(good, max_bytes=100)


def test_a_box_that_is_not_finite_is_not_written() -> None:
    spotify = records.entity("Spotify", box_px=(0.0, 0.0, float("inf"), 1.0))
    with pytest.raises(NotTheSchema, match="box_px"):
        encode(records.recognition(spotify))


def test_readers_of_a_recognition_see_plain_json() -> None:
    tree = json.loads(encode(records.recognition()))
    assert tree["outcome"] == {"status": "degraded", "reasons": ["deadline"]}
    assert tree["entities"][0]["span"] == {"start": 5, "end": 12, "exact": "Spotify"}
    assert tree["entities"][0]["box_px"] == [10.5, 20.0, 110.0, 120.0]
    assert tree["recognised_at"] == "2026-06-01T12:00:01.500000Z"
    assert isinstance(decode(encode(records.recognition()), Recognition), Recognition)
