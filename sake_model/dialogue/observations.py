"""Search results as the model reads them: bounded, on single lines, unable to imitate a tag.

<information>
{query}
- {title}: {snippet}
{query}
no result
</information>
"""

from __future__ import annotations

from sake_model.dialogue.steps import DialogueLimits, Observation
from sake_model.engine.interface import Part
from sake_model.protocol import INFORMATION_TAG, neutralise
from sake_model.search.interface import SearchResult
from schemas.entities import Tool

__all__ = ["render_observations", "shown"]

NO_RESULT = "no result"
UNAVAILABLE = "not available"


def shown(observation: Observation, limits: DialogueLimits) -> Observation:
    """The observation reduced to what the model is shown of it."""
    if observation.request.tool is Tool.TEXT:
        results = tuple([result for result in observation.results if result.title or result.snippet])
        return Observation(
            observation.request, results[: limits.results_per_query], (), available=observation.available
        )
    pairs = [
        (result, picture)
        for result, picture in zip(observation.results, observation.pictures, strict=False)
        if picture is not None
    ][: limits.pictures_per_query]
    return Observation(
        observation.request,
        tuple([result for result, _ in pairs]),
        tuple([picture for _, picture in pairs]),
        available=observation.available,
    )


def render_observations(
    observations: tuple[Observation, ...], limits: DialogueLimits
) -> tuple[tuple[Part, ...], int]:
    """The parts of the message that shows them, and how many imitated tags were made harmless."""
    parts: list[Part] = []
    neutralised = 0
    text = f"<{INFORMATION_TAG}>\n"
    for observation in observations:
        query, found = neutralise(observation.request.query)
        neutralised += found
        text += f"{query}\n"
        if not observation.results:
            text += f"{NO_RESULT if observation.available else UNAVAILABLE}\n"
        elif observation.request.tool is Tool.TEXT:
            for result in observation.results:
                line, found = _line(result, limits)
                neutralised += found
                text += f"- {line}\n"
        else:
            for picture in observation.pictures:
                if picture is not None:
                    parts += [text, picture]
                    text = "\n"
    parts.append(f"{text}</{INFORMATION_TAG}>")
    return tuple(parts), neutralised


def _line(result: SearchResult, limits: DialogueLimits) -> tuple[str, int]:
    title = _cut(" ".join(result.title.split()), limits.title_chars)
    snippet = _cut(" ".join(result.snippet.split()), limits.snippet_chars)
    line = f"{title}: {snippet}" if title and snippet else title or snippet
    return neutralise(line)


def _cut(text: str, chars: int) -> str:
    return text if len(text) <= chars else text[: chars - 1] + "…"
