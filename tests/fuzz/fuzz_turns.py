"""Coverage-guided fuzzing of the way from a model's turn to entities (atheris, libFuzzer).

    pip install atheris
    python tests/fuzz/fuzz_turns.py -max_total_time=60 -max_len=2000

The same promises as the property tests, sought with feedback from the code's branches instead of
a grammar. A crash is written as a file; pass that file as the only argument to see it again.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1]))

with atheris.instrument_imports(include=["sake_model.protocol", "sake_model.resolution", "sake_model.spans"]):
    from support.turns import FRAGMENTS, check_within_limits

    from sake_model.grounding import BoxFrame, Size
    from sake_model.pictures import ModelPicture
    from sake_model.prompts import load_prompts
    from sake_model.protocol import Answer, TurnLimits, neutralise, parse_turn, render_turn
    from sake_model.protocol.turns import OWN_TAG
    from sake_model.resolution import resolve

LIMITS = TurnLimits()
TASK = load_prompts("gmner").task
PICTURE = ModelPicture(b"", "image/png", "00", Size(1120, 560), Size(560, 280))


def one(data: bytes) -> None:
    """One turn about one post, both out of the fuzzer's bytes."""
    provider = atheris.FuzzedDataProvider(data)
    cut_off, needs_reason = provider.ConsumeBool(), provider.ConsumeBool()
    post = provider.ConsumeUnicodeNoSurrogates(20) + " Berlin"
    pieces = []
    while provider.remaining_bytes():
        piece = provider.ConsumeIntInRange(0, len(FRAGMENTS))
        pieces.append(FRAGMENTS[piece] if piece < len(FRAGMENTS) else provider.ConsumeUnicode(4))
    turn = "".join(pieces)

    parsed = parse_turn(turn, cut_off=cut_off, needs_reason=needs_reason)
    check_within_limits(parsed, LIMITS)
    if not parsed.repairs:
        again = parse_turn(render_turn(parsed.turn), needs_reason=needs_reason)
        assert again.turn == parsed.turn
        assert again.repairs == ()

    text, _ = neutralise(post)
    assert len(text) == len(post)
    assert not OWN_TAG.search(text)
    if isinstance(parsed.turn.action, Answer):
        located, _ = resolve(parsed.turn.action.mentions, text, PICTURE, TASK, BoxFrame.RESIZED)
        end = 0
        for entity in located:
            assert text[entity.span.start : entity.span.end] == entity.span.exact
            assert end <= entity.span.start < entity.span.end
            end = entity.span.end


if __name__ == "__main__":
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
