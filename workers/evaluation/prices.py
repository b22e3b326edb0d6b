"""What tokens and queries cost, from a table that the user writes.

currency = "USD"
prompt_tokens = 0.20e-6      # each, in the currency
output_tokens = 0.80e-6
text_search = 0.005          # a query
image_search = 0.005
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from schemas.errors import OperatorError

__all__ = ["Prices", "read_prices"]


@dataclass(frozen=True, slots=True)
class Prices:
    """Of one each, in `currency`."""

    currency: str = ""
    prompt_tokens: float = 0.0
    output_tokens: float = 0.0
    text_search: float = 0.0
    image_search: float = 0.0

    def of(self, amounts: Mapping[str, int]) -> float:
        """What these amounts come to."""
        return float(sum(getattr(self, name) * amount for name, amount in amounts.items()))


def read_prices(file: Path) -> Prices:
    """The table of a TOML file. Raises OperatorError when it is none."""
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
        unknown = table.keys() - Prices.__dataclass_fields__.keys()
        if unknown:
            raise ValueError(f"it knows no {', '.join(sorted(unknown))}")
        return msgspec.convert(table, Prices)
    except (OSError, ValueError, msgspec.ValidationError) as error:
        raise OperatorError(f"{file} is no table of prices: {error}") from error
