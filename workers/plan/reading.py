"""Facts from a TOML file, from recognitions that were made, and from the settings' search quotas."""

from __future__ import annotations

import dataclasses
import math
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from sake_model.search.factory import SearchConfig
from schemas.errors import OperatorError
from workers.evaluation.predictions import PredictedPost
from workers.plan.facts import EngineFacts, Facts, PostFacts, Prices, ProviderFacts, WorkerFacts

__all__ = ["EXAMPLE", "providers_of", "read_facts", "seen_posts"]

EXAMPLE = """\
# Figures for `sake plan --facts`. What is left out has the default that is written here as a comment.

[engine]                          # one replica with all its places taken: `vllm bench serve` prints these
prompt_tokens_per_s = 20000       # all turns together
output_tokens_per_s = 2500        # all turns together
turns_at_once = 64                # max-num-seqs
alone_s = 2.0                     # a turn with none beside it; 0 = no quicker than with all places taken
# turn_s = 0.0                    # what a turn takes besides its tokens
# turn_scv = 0.5                  # squared coefficient of variation of a turn's time
gpus = 1                          # of one replica

[post]                            # means; --measured takes them from recognitions
turns = 1.6
prompt_tokens = 2400              # of all turns of a post
output_tokens = 260
searches = 0.6                    # queries
cached = 0.3                      # share of them that the cache answers

[worker]
# post_cpu_s = 0.004              # processor time of a post; a megapixel's picture takes 0.03 more
# in_flight = 64                  # SAKE_WINDOW_MAX_IN_FLIGHT

# [[providers]]                   # in order; unset = those of the settings (SAKE_SEARCH_PROVIDERS)
# name = "brave"
# per_s = 20                      # quota of all workers together; unset = none
# answer_s = 0.5
# knows = 0.9                     # share of the queries that it answers with a result

[prices]                          # in any one currency
currency = "USD"
gpu_hour = 2.5
worker_hour = 0.05
searches = { brave = 0.005 }      # a query
"""

# How long they take where nobody has measured it: an index of one's own a millisecond, the net half a second.
_LOCAL_S, _REMOTE_S = 0.001, 0.5


def read_facts(file: Path | None, search: SearchConfig, measured: PostFacts | None = None) -> Facts:
    """The facts of a file; `measured` posts stand in for its [post]. Raises OperatorError."""
    table = _table(file) if file is not None else {}
    sections = {"post", "engine", "worker", "providers", "prices"}
    if unknown := table.keys() - sections:
        raise OperatorError(
            f"{file} knows no {', '.join(sorted(unknown))}; `sake plan --example` shows what it may hold"
        )
    try:
        post = measured
        if post is None:
            post = _section(PostFacts, table.get("post", {}))
        elif "cached" in table.get("post", {}):  # no recognition tells whether the cache answered
            post = dataclasses.replace(post, cached=float(table["post"]["cached"]))
        if "engine" not in table:
            raise ValueError("[engine] is missing: how fast is it? `sake plan --example` shows what is asked")
        given = table.get("providers")
        providers = (
            providers_of(search) if given is None else tuple(_section(ProviderFacts, one) for one in given)
        )
        return Facts(
            post=post,
            engine=_section(EngineFacts, table["engine"]),
            worker=_section(WorkerFacts, table.get("worker", {})),
            providers=providers,
            prices=_section(Prices, table.get("prices", {})),
        )
    except (ValueError, TypeError, msgspec.ValidationError) as error:
        raise OperatorError(f"{file or 'no --facts'}: {error}") from error


def seen_posts(recognitions: Iterable[PredictedPost]) -> PostFacts:
    """The means over recognitions. Raises OperatorError when none tells its rounds."""
    rounds = [post.rounds for post in recognitions if post.rounds]
    if not rounds:
        raise OperatorError("there is no recognition with its rounds: nothing to measure")
    count = len(rounds)
    return PostFacts(
        turns=sum(map(len, rounds)) / count,
        prompt_tokens=sum(one.prompt_tokens for each in rounds for one in each) / count,
        output_tokens=sum(one.output_tokens for each in rounds for one in each) / count,
        searches=sum(len(one.queries) for each in rounds for one in each) / count,
    )


def providers_of(search: SearchConfig) -> tuple[ProviderFacts, ...]:
    """The providers that the settings name, with their quotas."""
    wikimedia = len({"wikipedia", "wikidata"}.intersection(search.providers)) or 1
    quotas: Mapping[str, float] = {
        "wikipedia": search.wikimedia_per_minute / 60.0 / wikimedia,
        "wikidata": search.wikimedia_per_minute / 60.0 / wikimedia,
        "searxng": search.searxng_per_minute / 60.0,
        "brave": float(search.brave_per_second),
        "serper": float(search.serper_per_second),
    }
    return tuple(
        ProviderFacts(name, quotas.get(name), _REMOTE_S if name in quotas else _LOCAL_S)
        for name in search.providers
        if name != "none"
    )


def _table(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OperatorError(f"{file} cannot be read: {error}") from error


def _section(kind: type[Any], table: Any) -> Any:
    """One dataclass of facts. Raises ValueError for a key that it has not, and for inf and nan."""
    if not isinstance(table, dict):
        raise ValueError(f"a table is wanted, not {table!r}")
    if unknown := table.keys() - {each.name for each in dataclasses.fields(kind)}:
        raise ValueError(
            f"there is no {', '.join(sorted(unknown))}; `sake plan --example` shows what there is"
        )
    facts = msgspec.convert(table, kind)
    for name, value in dataclasses.asdict(facts).items():
        values = value.values() if isinstance(value, dict) else (value,)
        if any(isinstance(each, float) and not math.isfinite(each) for each in values):
            raise ValueError(f"{name} is a number that ends, not {value}")
    return facts
