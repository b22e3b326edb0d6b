"""Dialogues led with the policy: the machine, prompts, look-ups and search pool of serving.

All go in step: those whose turn is due are sampled together, then all that they want to know is looked
up at the same time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sake_model.corpora.labelled import LabelledPost
from sake_model.deadline import Deadline
from sake_model.dialogue import Ask, Dialogue, DialogueLimits, Finished, Lookup
from sake_model.lookups import REFERENCE_SIZE, look_up
from sake_model.pictures import ModelPicture
from sake_model.protocol import Repair
from sake_model.resolution import resolve
from sake_model.scoring import GoldEntity, Prediction, ScoredPost, official
from sake_model.scoring.counts import Counts
from sake_model.search.interface import Search
from training.model_setup import ModelSetup
from training.rl.rewards import Outcome
from training.rl.sampling import Sampler, TurnRequest
from training.rl.tokens import SampledTurn

__all__ = ["Leading", "Rollout", "Start", "lead_all", "outcome_of", "post_f1"]

NOT_THE_MODELS = frozenset({Repair.POST_NEUTRALISED, Repair.RESULT_NEUTRALISED})
"""What was put right in strangers' texts says nothing of the model's form."""
MNER_SHARE, EEG_SHARE, GMNER_SHARE = 0.25, 0.25, 0.5
"""SAKE's mixed F1."""


@dataclass(frozen=True, slots=True)
class Start:
    """A dialogue to be led."""

    post: LabelledPost
    picture: ModelPicture | None
    seed: str
    closed: bool = False
    """Search is not offered: only the answer is asked for."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """A dialogue at its end."""

    start: Start
    dialogue: Dialogue
    turns: tuple[SampledTurn, ...]


@dataclass(frozen=True, slots=True)
class Leading:
    """With what dialogues are led."""

    search: Search
    model: ModelSetup
    limits: DialogueLimits
    search_s: float = 30.0
    """Seconds for the searches of one round."""

    async def looked_up(self, dialogue: Dialogue) -> Dialogue:
        """The dialogue after its lookup, where one is due. A search that fails is part of it."""
        if not isinstance(dialogue.step, Lookup):
            return dialogue
        resize = self.model.resize
        reference = replace(REFERENCE_SIZE, factor_px=resize.factor_px, stamp_px=resize.stamp_px)
        found = await look_up(
            dialogue.step.requests,
            self.search,
            Deadline.after(self.search_s),
            reference_size=reference,
            pictures_per_query=self.limits.pictures_per_query,
        )
        return dialogue.after_search(found)


async def lead_all(starts: Sequence[Start], sampler: Sampler, leading: Leading) -> list[Rollout]:
    """All dialogues at their ends. Raises what the sampler raises."""
    dialogues = [_begun(start, leading) for start in starts]
    turns: list[tuple[SampledTurn, ...]] = [()] * len(starts)
    while due := [(i, each.step) for i, each in enumerate(dialogues) if isinstance(each.step, Ask)]:
        requests = [TurnRequest(ask, f"{starts[i].seed}/{len(turns[i])}") for i, ask in due]
        for (i, _), turn in zip(due, await sampler.turns(requests), strict=True):
            turns[i] = (*turns[i], turn)
            dialogues[i] = dialogues[i].after_turn(turn.completion)
        dialogues = list(await asyncio.gather(*(leading.looked_up(each) for each in dialogues)))
    return [Rollout(*each) for each in zip(starts, dialogues, turns, strict=True)]


def _begun(start: Start, leading: Leading) -> Dialogue:
    dialogue = Dialogue.begin(start.post.text, start.picture, leading.model.prompts, leading.limits)
    return dialogue.closing() if start.closed else dialogue


def outcome_of(rollout: Rollout, model: ModelSetup, *, mixed: bool) -> Outcome:
    """What a dialogue came to. `mixed`: not GMNER alone, but .25 MNER + .25 EEG + .5 GMNER."""
    dialogue = rollout.dialogue
    answered = isinstance(dialogue.step, Finished) and dialogue.step.mentions is not None
    return Outcome(
        f1=post_f1(rollout, model, mixed=mixed) if answered else 0.0,
        well_formed=answered and not set(dialogue.repairs) - NOT_THE_MODELS,
        searches=len(dialogue.observations),
        repeated=dialogue.repairs.count(Repair.DUPLICATE_QUERY),
        closed=rollout.start.closed,
    )


def post_f1(rollout: Rollout, model: ModelSetup, *, mixed: bool) -> float:
    """The post's own F1, its answer read, placed and scaled as in serving, by the official scorer."""
    scores = official.score_post(_scored(rollout, model))
    gmner = _f1(scores.gmner)
    if not mixed:
        return gmner
    return MNER_SHARE * _f1(scores.mner) + EEG_SHARE * _f1(scores.eeg) + GMNER_SHARE * gmner


def _f1(counts: Counts) -> float:
    """Of one post: to find nothing where there is nothing is right."""
    return counts.f1 if counts.gold or counts.predicted else 1.0


def _scored(rollout: Rollout, model: ModelSetup) -> ScoredPost:
    post, picture, dialogue = rollout.start.post, rollout.start.picture, rollout.dialogue
    mentions = dialogue.step.mentions if isinstance(dialogue.step, Finished) else None
    mentions = mentions or ()
    located, _ = resolve(mentions, dialogue.text, picture, model.prompts.task, model.frame)
    gold = tuple(
        GoldEntity((e.start, e.end), post.exact(e), e.fine_type or e.type, e.boxes if picture else ())
        for e in post.entities
    )
    predictions = tuple(
        Prediction(
            (each.span.start, each.span.end),
            dialogue.text[each.span.start : each.span.end],
            each.fine_type or each.type,
            each.box_px,
        )
        for each in located
    )
    # What serving drops (a name that is not in the post, an unknown type) is wrong all the same:
    # otherwise guessing would be free.
    dropped = (Prediction(None, "", ""),) * (len(mentions) - len(located))
    return ScoredPost(gold, predictions + dropped)
