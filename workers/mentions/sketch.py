"""How much two texts have in common, from a few hundred bytes of each.

Resemblance = Jaccard similarity of the texts' shingles (A. Broder, "On the resemblance and containment of
documents", 1997). A sketch is the k smallest hashes of the shingles (a bottom-k sketch, ibid., section 4):
unlike SimHash it is exact for texts of at most k shingles, which most posts are.
"""

from __future__ import annotations

import hashlib
import re

from sake_model.search.names import words
from workers.mentions.names import visible

__all__ = ["Sketch", "resemblance", "sketch_of"]

Sketch = tuple[int, ...]
"""Ascending hashes of 32 bits; empty when a text says too little to be told from another."""

# An estimate from 128 shingles has a standard error of at most sqrt(0.25 / 128) = 0.044.
SKETCH_SIZE = 128
# Letters of a shingle: words of any language share single letters and pairs; seven and more are rarely shared
# by chance, and a changed letter costs as many shingles.
SHINGLE_CHARS = 5
# "love my Nike" is said by thousands who never met: shorter texts are no sign of a copy.
MIN_CHARS = 20

# What a network adds to a copy, or changes in it: the retweet's head, links (each copy gets its own), who is
# replied to at the beginning.
ADDED = re.compile(
    r"^(\s*(rt|via|mt|qt)\b:?\s*@\w+:?|\s*@\w+)+|https?://\S+|\bpic\.twitter\.com/\S+", re.IGNORECASE
)


def sketch_of(text: str) -> Sketch:
    """The sketch of a post's text without what copying adds to it."""
    said = "".join(words(ADDED.sub(" ", visible(text))))
    if len(said) < MIN_CHARS:
        return ()
    shingles = {said[start : start + SHINGLE_CHARS] for start in range(len(said) - SHINGLE_CHARS + 1)}
    return tuple(sorted({_hash(shingle) for shingle in shingles})[:SKETCH_SIZE])


def resemblance(one: Sketch, other: Sketch) -> float:
    """The Jaccard similarity of what two sketches were made of, 0 to 1; exact for short texts.

    Of the smallest hashes of both together, the share that is in both. 0 when either is empty.
    """
    if not one or not other:
        return 0.0
    left, right = set(one), set(other)
    smallest = sorted(left | right)[:SKETCH_SIZE]
    return sum(each in left and each in right for each in smallest) / len(smallest)


def _hash(shingle: str) -> int:
    return int.from_bytes(hashlib.blake2b(shingle.encode(errors="surrogatepass"), digest_size=4).digest())
