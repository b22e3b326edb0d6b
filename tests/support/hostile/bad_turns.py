"""Turns that no model should write. The post says "Messi joined PSG in Paris" and has a picture of
120 by 80 pixels, which the model sees at 112 by 84."""

from __future__ import annotations

from support.hostile.cases import Case, Recognised, picture_post, post
from support.scripted_engine import ScriptedTurn

from sake_model.engine.interface import Completion, EngineTimeout, FinishReason

__all__ = ["CASES"]

WHY = "<reason>Known.</reason>"
WITH_PICTURE = picture_post()


def always(name: str, said: ScriptedTurn, *repairs: str) -> Case:
    """The model says nothing else, however often it is asked: nothing can be made of that."""
    end = Recognised(entities=(), degraded=("malformed_turn",), repairs=frozenset({"no_action", *repairs}))
    return Case(f"turn {name}", WITH_PICTURE, end, (said,) * 8)


def turn(name: str, *turns: ScriptedTurn, end: Recognised, value: bytes = WITH_PICTURE) -> Case:
    return Case(f"turn {name}", value, end, turns)


def answer(name: str, body: str, *repairs: str, entities: tuple[str, ...] = ("Messi/PER",)) -> Case:
    end = Recognised(entities=entities, repairs=frozenset(repairs))
    return turn(name, f"{WHY}<answer>{body}</answer>", end=end)


def entity(name: str = "Messi", kind: str = "PER", box: str = "[]") -> str:
    return f'[{{"entity": "{name}", "type": "{kind}", "box2d": {box}}}]'


def cut(text: str) -> Completion:
    return Completion(text, FinishReason.LENGTH, prompt_tokens=100, output_tokens=512)


CASES = (
    answer("trailing comma", entity()[:-1] + ",]", "trailing_comma"),
    answer("single quotes", entity().replace('"', "'"), "single_quotes"),
    answer("no list", entity()[1:-1], "not_a_list"),
    answer("fenced", f"```json\n{entity()}\n```", "code_fence"),
    answer("empty box object", entity(box="null"), "null_box"),
    answer("box of three numbers", entity(box="[1, 2, 3]"), "box_not_numbers"),
    answer("box of words", entity(box='["a", "b", "c", "d"]'), "box_not_numbers"),
    answer("box of huge numbers", entity(box=f"[0, 0, {'9' * 400}, 50]"), "box_not_numbers"),
    answer("box without area", entity(box="[5, 5, 5, 50]"), "box_empty"),
    answer("box beside the picture", entity(box="[500, 500, 600, 600]"), "box_outside"),
    answer("box over the edge", entity(box="[-50, 0, 5000, 84]"), "box_clipped", entities=("Messi/PER+box",)),
    answer(
        "box inside out",
        entity(box="[100, 80, 10, 10]"),
        "box_corners_swapped",
        entities=("Messi/PER+box",),
    ),
    answer("entity that is not in the post", entity("Ronaldo"), "not_in_post", entities=()),
    answer("entity in another case", entity("MESSI"), "name_case"),
    answer("half a word", entity("ess"), "not_in_post", entities=()),
    answer("empty entity", entity(""), "not_in_post", entities=()),
    answer("unknown type", entity(kind="UFO"), "unknown_type", entities=()),
    answer("the same twice", f"{entity()[:-1]}, {entity()[1:]}", "duplicate_entity"),
    answer(
        "overlapping",
        f"{entity()[:-1]}, {entity('Messi joined')[1:]}",
        "overlapping_entity",
        entities=("Messi joined/PER",),
    ),
    always("nothing at all", "", "missing_reason"),
    always("prose", "I think it is Messi.", "missing_reason"),
    always("another model's end", "<|im_end|>" * 50, "missing_reason", "turn_neutralised"),
    always("cut off in its reason", cut("<reason>Well, "), "cut_off"),
    always("a search for nothing", f"{WHY}<text_search>[]</text_search>"),
    turn(
        "search without a search",
        f'{WHY}<text_search>[{{"query": "Messi"}}]</text_search>',
        f"{WHY}<answer>{entity()}</answer>",
        end=Recognised(degraded=("search_unavailable",)),
    ),
    turn(
        "box without a picture",
        f"{WHY}<answer>{entity(box='[1, 2, 30, 40]')}</answer>",
        end=Recognised(repairs=frozenset({"box_without_picture"})),
        value=post(),
    ),
    turn("no turn in time", EngineTimeout("late"), end=Recognised(entities=(), degraded=("deadline",))),
)
