import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.chat_server import completion

from sake_model.engine.chat_format import (
    chat_request,
    error_of,
    names_unknown_picture,
    read_completion,
    with_stop_string,
)
from sake_model.engine.interface import (
    EngineLost,
    EngineOverloaded,
    EngineRejected,
    EngineUnavailable,
    FinishReason,
    Message,
    PromptTooLong,
    Sampling,
)
from sake_model.grounding import Size
from sake_model.pictures import ModelPicture
from schemas.errors import OperatorError

PICTURE = ModelPicture(b"\x89PNG", "image/png", "ab" * 32, Size(100, 50), Size(56, 28))
STOPS = ("</text_search>", "</image_search>", "</answer>")
DIALOGUE = (Message("system", ("Be brief.",)), Message("user", (PICTURE, "A post")))


def body_of(*, vllm: bool, held: tuple[str, ...] = (), sampling: Sampling = Sampling()) -> dict:
    raw = chat_request(DIALOGUE, model="m", stop=STOPS, max_tokens=9, sampling=sampling, vllm=vllm, held=held)
    return orjson.loads(raw)


def test_a_picture_goes_as_a_data_url_with_its_name_before_the_text():
    body = body_of(vllm=True)
    assert body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {
                    "type": "image_url",
                    "image_url": {"url": "data:image/png;base64,iVBORw=="},
                    "uuid": PICTURE.uuid,
                },
                {"type": "text", "text": "A post"},
            ],
        },
    ]
    assert body["include_stop_str_in_output"] is True
    assert body["stop"] == list(STOPS)
    assert (body["max_tokens"], body["temperature"]) == (9, 0.0)


def test_a_picture_that_the_server_holds_goes_by_name_alone():
    picture = body_of(vllm=True, held=(PICTURE.uuid,))["messages"][1]["content"][0]
    assert picture == {"type": "image_url", "image_url": None, "uuid": PICTURE.uuid}


def test_another_server_than_vllm_is_sent_nothing_that_only_vllm_knows():
    body = body_of(vllm=False, held=(PICTURE.uuid,))
    assert "include_stop_str_in_output" not in body
    assert body["messages"][1]["content"][0] == {
        "type": "image_url",
        "image_url": {"url": "data:image/png;base64,iVBORw=="},
    }


def test_sampling_is_sent_where_it_is_not_the_default():
    assert not {"seed", "top_p"} & body_of(vllm=True).keys()
    body = body_of(vllm=True, sampling=Sampling(temperature=0.7, top_p=0.9, seed=5))
    assert (body["temperature"], body["top_p"], body["seed"]) == (0.7, 0.9, 5)


def test_a_turn_is_read_with_its_tokens():
    turn = read_completion(orjson.dumps(completion("hi", finish="length")), STOPS)
    assert (turn.text, turn.finish) == ("hi", FinishReason.LENGTH)
    assert (turn.prompt_tokens, turn.output_tokens, turn.cached_tokens) == (56, 8, 32)


def test_a_turn_that_the_server_ended_for_repeating_itself_is_cut_off():
    turn = read_completion(orjson.dumps(completion("na na na", finish="repetition")), STOPS)
    assert (turn.text, turn.finish) == ("na na na", FinishReason.LENGTH)


def test_a_server_that_tells_less_still_makes_a_turn():
    turn = read_completion(b'{"choices": [{"message": {"content": null}}]}', STOPS)
    assert (turn.text, turn.finish, turn.prompt_tokens) == ("", FinishReason.STOP, 0)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b'{"choices": []}', b'{"choices": [{}]}', b"\xff"]
)
def test_what_is_not_a_completion_means_that_the_server_is_not_there(body):
    with pytest.raises(EngineUnavailable):
        read_completion(body, STOPS)


@pytest.mark.parametrize(
    ("finish", "error"),
    [("abort", EngineUnavailable), ("error", EngineUnavailable), ("content_filter", EngineRejected)],
)
def test_a_turn_that_the_server_broke_off_is_no_turn(finish, error):
    with pytest.raises(error):
        read_completion(orjson.dumps(completion("<ans", finish=finish)), STOPS)


@pytest.mark.parametrize(
    ("text", "reason", "whole"),
    [
        ("<answer>[]</answer>", None, "<answer>[]</answer>"),  # vLLM included it
        ("<answer>[]", "</answer>", "<answer>[]</answer>"),  # the server says which
        ("<reason>r</reason><text_search>[]", None, "<reason>r</reason><text_search>[]</text_search>"),
        ("<text_search>x<answer>[]", None, "<text_search>x<answer>[]</answer>"),  # the last one opened
        ("<answer>[]</answer> and more", None, "<answer>[]</answer> and more"),  # ended by itself
        ("no tag at all", None, "no tag at all"),
        ("<answer>[]", 2, "<answer>[]</answer>"),  # a token id is not a stop string
    ],
)
def test_the_stop_string_is_part_of_the_turn_whoever_served_it(text, reason, whole):
    assert with_stop_string(text, STOPS, reason) == whole


@given(st.text(alphabet="<>/answertx_ "), st.sampled_from(["", "<answer>", "<text_search>"]))
def test_putting_a_stop_string_back_only_ever_appends_one(text, opened):
    whole = with_stop_string(text + opened, STOPS)
    assert whole.removeprefix(text + opened) in ("", *STOPS)
    assert with_stop_string(whole, STOPS) == whole


@pytest.mark.parametrize(
    ("status", "message", "error"),
    [
        (400, "This model's maximum context length is 4096 tokens. However, your prompt", PromptTooLong),
        (400, "the request exceeds the available context size", PromptTooLong),
        (400, "`inputs` tokens + `max_new_tokens` must be <= 4096, longer than the limit", PromptTooLong),
        (413, "Payload Too Large", PromptTooLong),
        (400, "Failed to load image: cannot identify image file", EngineRejected),
        (422, "field required", EngineRejected),
        (401, "no", OperatorError),
        (403, "no", OperatorError),
        (404, "The model `x` does not exist.", OperatorError),
        (429, "slow down", EngineOverloaded),
        (503, "queue full", EngineOverloaded),
        (500, "EngineCore encountered an issue", EngineLost),
        (502, "Bad Gateway", EngineUnavailable),
        (504, "Gateway Timeout", EngineUnavailable),
    ],
)
def test_each_status_has_its_meaning(status, message, error):
    found = error_of(status, orjson.dumps({"error": {"message": message, "code": status}}))
    assert type(found) is error
    assert message in str(found)


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"<html>busy", b'"busy"', b'{"detail": [{"loc": []}]}'])
def test_an_error_body_of_any_shape_is_quoted(body):
    assert isinstance(error_of(503, body), EngineOverloaded)


def test_an_unknown_picture_is_told_from_other_refusals():
    assert names_unknown_picture(b'{"error": {"message": "Cache miss for image at index 0 but data"}}')
    assert names_unknown_picture(b'{"error": {"message": "multimodal_cache_miss"}}')
    assert not names_unknown_picture(b'{"error": {"message": "Failed to load image"}}')
