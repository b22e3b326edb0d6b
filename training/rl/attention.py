"""Attention whose query heads share their keys without copies of these.

Grouped-query attention has fewer keys than queries; the stock code repeats keys and values in memory
for every call, which costs more than the arithmetic when one token a row is sampled.
"""

from __future__ import annotations

from typing import Any

from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import eager_mask

__all__ = ["GROUPED", "grouped_attention"]

GROUPED = "sake_grouped"


def grouped_attention(  # noqa: PLR0917 - transformers calls it so
    module: Any,  # noqa: ARG001
    query: Any,
    key: Any,
    value: Any,
    attention_mask: Any,
    scaling: float,
    **_kwargs: Any,
) -> tuple[Any, None]:
    """softmax(q kᵀ · scaling + mask) v.

    Queries are batch × heads × n × width, keys and values batch × groups × all × width; the mask is 0
    where a query looks and very negative elsewhere, None where it looks at everything.
    """
    rows, heads, many, width = query.shape
    groups, everything = key.shape[1], key.shape[2]
    together = query.reshape(rows, groups, heads // groups * many, width)
    scores = (together @ key.transpose(2, 3)).float().view(rows, heads, many, everything).mul(scaling)
    if attention_mask is not None:
        scores = scores + attention_mask[..., :everything]
    shares = scores.softmax(-1).to(value.dtype).view(rows, groups, -1, everything)
    return (shares @ value).view(rows, heads, many, width).transpose(1, 2), None


AttentionInterface.register(GROUPED, grouped_attention)
# Without a mask of its own, a new kind of attention would be given none at all.
AttentionMaskInterface.register(GROUPED, eager_mask)
