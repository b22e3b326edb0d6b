"""What a dialogue teaches is what serving reads."""

from __future__ import annotations

from sake_model.corpora.labelled import LabelledEntity, LabelledPost
from sake_model.protocol.parse import parse_turn
from sake_model.protocol.turns import Answer, Mention
from training.dialogues import NO_NAMES, answer_turn, text_dialogue

POST = LabelledPost(
    "1", 'Ana "A" Lind in Oslo', (LabelledEntity(0, 12, "PER"), LabelledEntity(16, 20, "LOC"))
)


def test_the_turn_reads_back_without_repair():
    parsed = parse_turn(answer_turn(POST))
    assert parsed.turn.action == Answer((Mention('Ana "A" Lind', "PER"), Mention("Oslo", "LOC")))
    assert not parsed.repairs


def test_a_post_without_names_is_answered_with_none():
    parsed = parse_turn(answer_turn(LabelledPost("1", "hello", ())))
    assert (parsed.turn.reason, parsed.turn.action) == (NO_NAMES, Answer(()))


def test_the_prompt_is_the_post_alone():
    user, assistant = text_dialogue(POST)
    assert (user.role, user.content, assistant.role) == ("user", POST.text, "assistant")
