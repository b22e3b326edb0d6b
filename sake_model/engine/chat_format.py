"""Messages to the OpenAI chat format and back: pure, without a connection.

vLLM takes two things that the format does not have, and only a vLLM is sent them:
`include_stop_str_in_output`, and a `uuid` beside a picture, by which later requests name
it without sending it.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any

import msgspec
import orjson

from sake_model.engine.interface import (
    Completion,
    EngineLost,
    EngineOverloaded,
    EngineRejected,
    EngineUnavailable,
    FinishReason,
    PromptTooLong,
)
from schemas.errors import EngineError, OperatorError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from sake_model.engine.interface import Message, Sampling
    from sake_model.pictures import ModelPicture

__all__ = [
    "chat_request",
    "error_of",
    "names_unknown_picture",
    "pictures_of",
    "read_completion",
    "with_stop_string",
]

# How servers say that the prompt is longer than the context: vLLM, OpenAI and SGLang,
# llama.cpp, TGI; matched without regard to case.
TOO_LONG = re.compile(
    r"maximum (context|model) length|context[_ ]length|context size|longer than the|too many tokens"
    r"|must have less than",
    re.IGNORECASE,
)

# How vLLM says that it does not hold a picture that was named by uuid.
UNKNOWN_PICTURE = re.compile(r"cache[_ ]miss", re.IGNORECASE)

# An error body is quoted up to here: enough for the sentence, not for a stack trace.
QUOTED_CHARS = 300

OPERATOR_MUST = {
    401: "the engine refuses the API key: set SAKE_ENGINE_KEY",
    403: "the engine refuses the API key: set SAKE_ENGINE_KEY",
    404: "the engine has no such model or path: check SAKE_ENGINE_URL and SAKE_MODEL",
}

CLOSING_TAG = re.compile(r"</([A-Za-z_][\w-]*)>")


def pictures_of(messages: tuple[Message, ...]) -> Iterator[ModelPicture]:
    """Every picture of the dialogue, in reading order."""
    return (part for message in messages for part in message.parts if not isinstance(part, str))


def chat_request(
    messages: tuple[Message, ...],
    *,
    model: str,
    stop: tuple[str, ...],
    max_tokens: int,
    sampling: Sampling,
    vllm: bool,
    held: Collection[str] = (),
) -> bytes:
    """The JSON body of one `/v1/chat/completions` request.

    `held`: uuids of the pictures that the server has already; these go by name alone.
    """
    body: dict[str, Any] = {
        "model": model,
        "messages": [_message(message, vllm=vllm, held=held) for message in messages],
        "max_tokens": max_tokens,
        "temperature": sampling.temperature,
    }
    if stop:
        body["stop"] = stop
    if sampling.top_p != 1.0:
        body["top_p"] = sampling.top_p
    if sampling.seed is not None:
        body["seed"] = sampling.seed
    if vllm:
        body["include_stop_str_in_output"] = True
    return orjson.dumps(body)


def _message(message: Message, *, vllm: bool, held: Collection[str]) -> dict[str, Any]:
    if all(isinstance(part, str) for part in message.parts):
        return {"role": message.role, "content": "".join(str(part) for part in message.parts)}
    return {
        "role": message.role,
        "content": [
            {"type": "text", "text": part} if isinstance(part, str) else _picture(part, vllm=vllm, held=held)
            for part in message.parts
        ],
    }


def _picture(picture: ModelPicture, *, vllm: bool, held: Collection[str]) -> dict[str, Any]:
    if vllm and picture.uuid in held:
        return {"type": "image_url", "image_url": None, "uuid": picture.uuid}
    encoded = base64.b64encode(picture.data).decode()
    part: dict[str, Any] = {
        "type": "image_url",
        "image_url": {"url": f"data:{picture.media_type};base64,{encoded}"},
    }
    if vllm:
        part["uuid"] = picture.uuid
    return part


class _PromptDetails(msgspec.Struct):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: _PromptDetails | None = None


class _Text(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    message: _Text
    finish_reason: str | None = None
    stop_reason: int | str | None = None


class _Answer(msgspec.Struct):
    choices: tuple[_Choice, ...]
    usage: _Usage | None = None


_answer_decoder = msgspec.json.Decoder(_Answer)


def read_completion(body: bytes, stop: tuple[str, ...]) -> Completion:
    """The model turn in an HTTP 200 answer, with the stop string that ended it.

    Raises EngineUnavailable when the body is not of the chat format (a proxy's page, say)
    or the server gave the request up; EngineRejected when a filter held the turn back.
    """
    try:
        answer = _answer_decoder.decode(body)
        choice = answer.choices[0]
    except (msgspec.DecodeError, IndexError) as error:
        raise EngineUnavailable(f"the server's answer is not a chat completion: {error}") from error
    finish = _finish_of(choice.finish_reason)
    text = choice.message.content or ""
    if finish is FinishReason.STOP:
        text = with_stop_string(text, stop, choice.stop_reason)
    usage = answer.usage or _Usage()
    details = usage.prompt_tokens_details or _PromptDetails()
    return Completion(
        text=text,
        finish=finish,
        prompt_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens,
        cached_tokens=details.cached_tokens or 0,
    )


def _finish_of(reason: str | None) -> FinishReason:
    if reason in ("stop", None):
        return FinishReason.STOP
    if reason in ("length", "repetition"):  # vLLM's, where an operator has its repetition detection on
        return FinishReason.LENGTH
    if reason in ("abort", "error"):
        raise EngineUnavailable(f"the server gave the request up ({reason})")
    raise EngineRejected(f"the server ended the turn with {reason!r}")


def with_stop_string(text: str, stop: tuple[str, ...], reason: int | str | None = None) -> str:
    """`text` with the stop string that ended it, which many servers cut off.

    The server's own word (`reason`) counts first. Without it, a stop string of the form
    `</name>` is put back where `<name>` is the last tag opened and not closed.
    """
    if text.endswith(stop):
        return text
    if isinstance(reason, str) and reason in stop:
        return text + reason
    opened = {}
    for end in stop:
        if match := CLOSING_TAG.fullmatch(end):
            start = text.rfind(f"<{match[1]}>")
            if start >= 0 and text.find(end, start) < 0:
                opened[start] = end
    return text + opened[max(opened)] if opened else text


def error_of(status: int, body: bytes) -> EngineError | OperatorError:
    """What a status other than 200 means.

    500 is EngineLost: it is how vLLM answers the requests that were running when its engine
    process died, and a request that makes the server fail must not be tried for ever.
    """
    said = f"HTTP {status}: {_message_of(body)}"
    if status == 413 or (status in (400, 422) and TOO_LONG.search(said)):
        return PromptTooLong(said)
    if status in OPERATOR_MUST:
        return OperatorError(f"{OPERATOR_MUST[status]} ({said})")
    if status in (408, 425, 429, 503):
        return EngineOverloaded(said)
    if status >= 500:
        return EngineLost(said) if status == 500 else EngineUnavailable(said)
    return EngineRejected(said)


def names_unknown_picture(body: bytes) -> bool:
    """True when the server says that it does not hold a picture that was named by uuid."""
    return UNKNOWN_PICTURE.search(_message_of(body)) is not None


def _message_of(body: bytes) -> str:
    """The sentence in an error body, whatever its shape."""
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return body[:QUOTED_CHARS].decode(errors="replace")
    for key in ("error", "message", "detail"):
        if isinstance(said, dict) and key in said:
            said = said[key]
    return str(said)[:QUOTED_CHARS]
