"""What health endpoints hear of a mentions worker: every stage counts."""

from __future__ import annotations

import time

import pytest

from workers.mentions.status import MAX_SILENCE_S, MentionsStatus, StageStatus
from workers.recognise.state import LaneState, Phase


def working(*, webhook: bool = True) -> MentionsStatus:
    status = MentionsStatus()
    status.match.phase, status.match.last_poll_s = Phase.RUNNING, time.monotonic()
    status.match.lanes["sake.recognitions[0]"] = LaneState(opened=True)
    status.fold.sign()
    status.webhook.on = webhook
    if webhook:
        status.webhook.sign()
    return status


def stages(status: MentionsStatus) -> list[StageStatus]:
    return [status.fold, status.webhook]


def test_a_working_one_is_alive_and_ready_and_tells_of_every_stage() -> None:
    status = working()
    status.fold.folded, status.webhook.trouble = 7, "http_503"
    assert (status.alive(), status.ready()) == (True, True)
    report = status.report()
    assert (report["phase"], report["fold"]["phase"], report["webhook"]["phase"]) == ("running",) * 3
    assert (report["fold"]["folded"], report["webhook"]["trouble"]) == (7, "http_503")


@pytest.mark.parametrize("stage", [0, 1])
def test_a_stage_that_starts_is_alive_and_not_ready(stage: int) -> None:
    status = working()
    stages(status)[stage].begins()
    assert (status.alive(), status.ready()) == (True, False)


@pytest.mark.parametrize("stage", [0, 1])
def test_a_stage_without_a_sign_is_to_be_restarted(stage: int) -> None:
    status = working()
    stages(status)[stage].last_sign_s -= MAX_SILENCE_S + 1
    assert not status.alive()


def test_without_a_webhook_its_sender_is_not_waited_for() -> None:
    status = working(webhook=False)
    status.webhook.last_sign_s -= MAX_SILENCE_S + 1
    assert (status.alive(), status.ready()) == (True, True)
    assert status.report()["webhook"] == {"phase": "off"}
