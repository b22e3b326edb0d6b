"""What a turn repeats of its prompts leaves neither by a record nor by a search."""

from __future__ import annotations

import pytest

from sake_model.dialogue.echo import ECHO_WORDS, without_echo
from sake_model.prompts import load_prompts
from sake_model.protocol import Answer, Malformed, Repair, SearchAction, Turn
from schemas.entities import Tool

GMNER = load_prompts("gmner")
ECHO = "the exact characters of the post that name it"
ANSWER = Answer(())


@pytest.mark.parametrize("reason", [ECHO, ECHO.upper(), f"I was told: {ECHO}!", ECHO.replace(" ", "\n- ")])
def test_a_reason_that_repeats_the_prompt_is_left_out(reason: str) -> None:
    assert without_echo(Turn(reason, ANSWER), GMNER) == (Turn("", ANSWER), (Repair.PROMPT_ECHOED,))


@pytest.mark.parametrize(
    "reason", [None, "", "Messi may be another one.", " ".join(ECHO.split()[: ECHO_WORDS - 1])]
)
def test_any_other_reason_stays(reason: str | None) -> None:
    turn = Turn(reason, ANSWER)
    assert without_echo(turn, GMNER) == (turn, ())


def test_queries_that_repeat_the_prompt_are_not_asked() -> None:
    turn, repairs = without_echo(Turn("why", SearchAction(Tool.TEXT, ("Messi", ECHO))), GMNER)
    assert turn.action == SearchAction(Tool.TEXT, ("Messi",))
    assert repairs == (Repair.PROMPT_ECHOED,)
    turn, _ = without_echo(Turn("why", SearchAction(Tool.TEXT, (ECHO,))), GMNER)
    assert turn.action == Malformed()


def test_the_post_itself_is_no_prompt() -> None:
    turn = Turn("the post says that Messi has joined PSG in Paris", ANSWER)
    assert without_echo(turn, load_prompts("compact")) == (turn, ())
