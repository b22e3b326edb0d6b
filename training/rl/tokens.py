"""Dialogues as the tokens that the server makes of them, and which of these the model itself wrote.

A turn is learnt as it was sampled: its prompt's tokens, then the sampled ones. The next prompt holds
that turn as text. Where its tokens begin with all that was there before, the dialogue is one sequence
and nothing is computed twice; where they do not (the turn was not spelt in the tokenizer's own way, or
was cut), a new sequence begins. So what is learnt is exactly what was sampled, under exactly the prompt
that serving would send; posts, prompts and observations with their pictures are never learnt.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sake_model.engine.interface import Completion, Message
from sake_model.pictures import ModelPicture
from training.sft.encode import message_text

__all__ = ["ASSISTANT", "Prompt", "SampledTurn", "Sequenced", "prompt_of", "sequences"]

ASSISTANT = "<|im_start|>assistant\n"
"""What the chat template ends a prompt with."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """The tokens of a prompt, and its pictures in their order."""

    ids: tuple[int, ...]
    pictures: tuple[ModelPicture, ...] = ()


@dataclass(frozen=True, slots=True)
class SampledTurn:
    """A turn with its tokens."""

    completion: Completion
    prompt: Prompt
    ids: tuple[int, ...]
    """What the model wrote, up to the token that completes the stop string."""
    logprobs: tuple[float, ...]
    """Of each of these, under the policy that sampled it."""


@dataclass(frozen=True, slots=True)
class Sequenced:
    """Tokens to learn from."""

    ids: tuple[int, ...]
    own: tuple[bool, ...]
    """Which of them the model wrote."""
    logprobs: tuple[float, ...]
    """One for each of its own tokens."""
    pictures: tuple[ModelPicture, ...] = ()


def prompt_of(messages: Sequence[Message], tokenizer: Any, cell_px: int) -> Prompt:
    """The tokens that a server's chat template makes of the messages; a visual token is `cell_px` square."""
    text = "".join(_chatml(message, cell_px) for message in messages) + ASSISTANT
    pictures = [part for message in messages for part in message.parts if not isinstance(part, str)]
    return Prompt(tuple(tokenizer(text, add_special_tokens=False)["input_ids"]), tuple(pictures))


def _chatml(message: Message, cell_px: int) -> str:
    content, placed = "", []
    for part in message.parts:
        if isinstance(part, str):
            content += part
        else:
            placed.append((len(content), part.resized.pixels // cell_px**2))
    return message_text(message.role, content, placed)


def sequences(turns: Iterable[SampledTurn]) -> list[Sequenced]:
    """One dialogue's turns as few sequences as they make; usually one."""
    done: list[Sequenced] = []
    for turn in turns:
        before = done[-1] if done else None
        begun = before is not None and turn.prompt.ids[: len(before.ids)] == before.ids
        ids, own = turn.prompt.ids, (False,) * len(turn.prompt.ids)
        logprobs: tuple[float, ...] = ()
        if begun and before is not None:
            done.pop()
            own = before.own + own[len(before.ids) :]
            logprobs = before.logprobs
        done.append(
            Sequenced(
                ids + turn.ids,
                own + (True,) * len(turn.ids),
                logprobs + turn.logprobs,
                turn.prompt.pictures,
            )
        )
    return done
