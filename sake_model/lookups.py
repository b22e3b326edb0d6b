"""Carries out a dialogue's lookup: its requests at once, their pictures made ready for the model.

The recogniser and training's rollouts use it, so that both see the same observations.
"""

from __future__ import annotations

import asyncio

from sake_model.deadline import Deadline
from sake_model.dialogue import Observation
from sake_model.grounding import ResizeLimits
from sake_model.pictures import ModelPicture, PictureError, prepare
from sake_model.search.interface import Search, SearchOutcome, SearchRequest, SearchUnavailable
from schemas.entities import Tool

__all__ = ["REFERENCE_SIZE", "look_up"]

REFERENCE_SIZE = ResizeLimits(min_pixels=112 * 112, max_pixels=336 * 336)
"""A mark or a face is known by a few patches: 16 to 144 visual tokens at 28 px each."""


async def look_up(
    requests: tuple[SearchRequest, ...],
    search: Search,
    deadline: Deadline,
    *,
    reference_size: ResizeLimits = REFERENCE_SIZE,
    pictures_per_query: int = 1,
) -> tuple[Observation, ...]:
    """One observation for each request, in their order. A search that fails is an observation too."""
    if len(requests) == 1:
        return (await _one(requests[0], search, deadline, reference_size, pictures_per_query),)
    tasks = [_one(request, search, deadline, reference_size, pictures_per_query) for request in requests]
    return tuple(await asyncio.gather(*tasks))


async def _one(
    request: SearchRequest,
    search: Search,
    deadline: Deadline,
    reference_size: ResizeLimits,
    pictures_per_query: int,
) -> Observation:
    try:
        outcome = await search.search(request, deadline)
    except SearchUnavailable:
        return Observation(request, available=False)
    return await _observation(request, outcome, reference_size, pictures_per_query)


async def _observation(
    request: SearchRequest, outcome: SearchOutcome, reference_size: ResizeLimits, pictures_per_query: int
) -> Observation:
    results = outcome.results
    if request.tool is Tool.TEXT:
        return Observation(request, results)
    pictures: list[ModelPicture | None] = []
    usable = 0
    for result in results:
        picture = None
        if result.picture is not None and usable < pictures_per_query:
            picture = await asyncio.to_thread(_prepared, result.picture, reference_size)
            usable += picture is not None
        pictures.append(picture)
    return Observation(request, results, tuple(pictures))


def _prepared(data: bytes, reference_size: ResizeLimits) -> ModelPicture | None:
    try:
        return prepare(data, reference_size)
    except PictureError:
        return None
