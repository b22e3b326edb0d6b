"""Text from strangers loses the power to look like our tags or like a chat template's tokens.

Posts and search results are put into prompts. A tokenizer reads `<|im_start|>` or `<s>` inside
them as control tokens, and the model reads `</information>` as the end of what was found. So the
angle brackets of everything that looks like a tag become `‹` and `›`: readable, harmless, and
ONE code point for one, so that positions in the text stay what they were.
"""

from __future__ import annotations

import re

from sake_model.protocol.turns import TAG_NAMES, TURN_TAGS

__all__ = ["neutralise", "neutralise_turn"]

# `<`, a mark or two, a letter, up to 64 more characters, `>`: longer than any special token of the
# model families served (the longest of SmolLM2's and Qwen's has 21). Our own tags also with blanks,
# since that is how leniently they are read. "<3" and "a < b > c" do not match.
_TAG_LIKE = re.compile(
    rf"<([/!|｜]{{0,2}}[A-Za-z_][^<>]{{0,64}}|\s{{0,8}}/?\s{{0,8}}(?:{TAG_NAMES})\s{{0,8}})>",
    re.IGNORECASE,
)

# In a model's own turn our tags are meant; nothing else that looks like one is.
_FOREIGN_TAG = re.compile(rf"<(?!/?(?:{TURN_TAGS})>)([/!|｜]{{0,2}}[A-Za-z_][^<>]{{0,64}})>", re.IGNORECASE)


def neutralise(text: str) -> tuple[str, int]:
    """The text with every tag-like piece made harmless, and how many there were; same length."""
    if "<" not in text:
        return text, 0
    return _TAG_LIKE.subn(r"‹\1›", text)


def neutralise_turn(text: str) -> tuple[str, int]:
    """A model's own turn, its own tags kept and all others made harmless, and how many those were."""
    return _FOREIGN_TAG.subn(r"‹\1›", text)
