"""A corpus tweet the way people really write it: tokens joined again, entities carried along.

Twitter-GMNER splits `RT @user_x: It's` into `RT @ user _ x : It ' s`. A model that has only seen
that form fails on real posts. `natural_form` joins tokens by what they are; where the corpus is
ambiguous (a quotation mark, a dash) blanks stay, which readers and the model bear well.
"""

from __future__ import annotations

import html
import re
from random import Random

from sake_model.corpora.labelled import LabelledEntity, LabelledPost

__all__ = ["natural_form", "recased"]

CLOSES = set(".,!?:;)]}…%’”")
OPENS = set("([{“‘$")
GLUES_NEXT = {"@", "#"}
APOSTROPHES = {"'", "’"}
CONTRACTED = re.compile(r"^(s|t|re|ve|ll|d|m|em)$", re.IGNORECASE)
URL_HEAD = re.compile(r"^https?$", re.IGNORECASE)
ENTITY_HEAD = re.compile(r"^&(amp|gt|lt|quot)$")
HANDLE_GLUE = "_"
RECASINGS = (str.lower, str.upper)


def natural_form(post: LabelledPost) -> LabelledPost:
    """`post` with its tokens joined as people write. Needs `post.tokens`; spans follow the text."""
    text, moved = "", {}
    position = 0
    for i, token in enumerate(post.tokens):
        written = html.unescape(token + ";") if ENTITY_HEAD.match(token) else token
        if token == ";" and i and ENTITY_HEAD.match(post.tokens[i - 1]):
            written = ""
        blank = " " if text and written and not _glued(post.tokens, i) else ""
        text += blank
        moved[position] = len(text)
        if written == token:  # an entity may begin or end inside: the name in "#Oslo"
            moved |= {position + k: len(text) + k for k in range(1, len(token))}
        text += written
        moved[position + len(token)] = len(text)
        position += len(token) + 1
    entities = tuple(
        LabelledEntity(moved[e.start], moved[e.end], e.type, e.fine_type, e.boxes)
        for e in post.entities
        if moved[e.start] < moved[e.end]
    )
    return LabelledPost(post.id, text, entities, post.picture)


def _glued(tokens: tuple[str, ...], i: int) -> bool:
    """Whether token i stands without a blank after the token before it."""
    before, token = tokens[i - 1], tokens[i]
    if before in GLUES_NEXT or before in OPENS or HANDLE_GLUE in (token, before):
        return True
    if token in CLOSES or (URL_HEAD.match(before) and token == ":"):
        return True
    if token.startswith("//") and before == ":":
        return True
    if i > 1 and before in APOSTROPHES and CONTRACTED.match(token) and tokens[i - 2][-1:].isalnum():
        return True
    if token in APOSTROPHES and i + 1 < len(tokens):
        return bool(CONTRACTED.match(tokens[i + 1])) and before[-1:].isalnum()
    return before.endswith("://t.") or (before == "." and i > 1 and tokens[i - 2].endswith("//t"))


def recased(post: LabelledPost, random: Random) -> LabelledPost:
    """`post` all in lower or all in upper case; unchanged where that would move a span."""
    recase = random.choice(RECASINGS)
    text = recase(post.text)
    if len(text) != len(post.text):
        return post
    return LabelledPost(post.id, text, post.entities, post.picture)
