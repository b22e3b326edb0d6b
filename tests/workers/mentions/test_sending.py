"""What follows an attempt at the webhook, when it is due, and how a request is signed."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import OperatorError
from workers.mentions.outbox import MAX_REST_S, Item, Outbox
from workers.mentions.retries import Answer, Dead, Later, RetryLimits, Taken, judge, retry_after_s
from workers.mentions.signing import read_key, signature_headers
from workers.mentions.webhook_config import WebhookSettings, webhook_config

LIMITS = RetryLimits(first_wait_s=1, max_wait_s=60, max_retry_after_s=600, give_up_s=3600)
KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def after(answer: Answer, attempts: int = 1, age_s: float = 0) -> Taken | Later | Dead:
    return judge(answer, attempts, age_s, chance=1.0, limits=LIMITS)


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_2xx_is_taken(status: int) -> None:
    assert after(Answer(status)) == Taken()


@pytest.mark.parametrize("status", [301, 302, 400, 401, 403, 404, 410, 413, 422])
def test_a_refusal_is_final_and_a_redirect_is_one(status: int) -> None:
    assert after(Answer(status)) == Dead(f"http_{status}")


@pytest.mark.parametrize(
    "answer", [Answer(503), Answer(500), Answer(429), Answer(408), Answer(None, "timeout")]
)
def test_trouble_is_tried_again_later_and_later(answer: Answer) -> None:
    waits = [verdict.wait_s for n in range(1, 9) if isinstance(verdict := after(answer, n), Later)]
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


def test_the_receiver_may_ask_for_more_time_within_reason() -> None:
    assert after(Answer(429, retry_after_s=120)) == Later(120, "http_429")
    assert after(Answer(429, retry_after_s=10**9)) == Later(600, "http_429")
    assert after(Answer(503, retry_after_s=0)) == Later(1, "http_503")


def test_what_was_tried_for_too_long_is_given_up() -> None:
    assert after(Answer(None, "connection"), 50, age_s=3541) == Dead("connection")
    assert isinstance(after(Answer(None, "connection"), 50, age_s=3540), Later)


@given(st.integers(1, 10**9), st.floats(0, 1, exclude_max=True))
def test_no_number_of_attempts_overflows(attempts: int, chance: float) -> None:
    verdict = judge(Answer(500), attempts, 0, chance, LIMITS)
    assert isinstance(verdict, Later)
    assert LIMITS.first_wait_s / 2 <= verdict.wait_s <= LIMITS.max_wait_s


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [
        ("120", 120.0),
        ("Mon, 01 Jun 2026 12:00:30 GMT", 30.0),
        ("Mon, 01 Jun 2026 11:00:00 GMT", 0.0),
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("٣", None),
        ("9" * 400, 999_999_999.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, wait_s: float | None) -> None:
    assert retry_after_s(header, datetime(2026, 6, 1, 12, tzinfo=UTC)) == wait_s


def test_the_signature_is_that_of_the_specification() -> None:
    # The example of the specification's own libraries.
    key, body = read_key(KEY), b'{"test": 2432232314}'
    headers = signature_headers((key,), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_while_keys_are_exchanged_there_are_two_signatures() -> None:
    old, new = read_key(KEY), b"another key of enough length"
    both = signature_headers((new, old), "a", 1, b"body")["webhook-signature"].split()
    assert both == [
        "v1," + base64.b64encode(hmac.new(key, b"a.1.body", hashlib.sha256).digest()).decode()
        for key in (new, old)
    ]


@pytest.mark.parametrize(
    "key", ["", "secret", "whsec_", "whsec_!!!!", "whsec_c2hvcnQ=", "whsec_" + "A" * 400]
)
def test_a_weak_or_broken_key_is_refused_without_telling_it(key: str) -> None:
    with pytest.raises(OperatorError) as caught:
        read_key(key)
    assert "openssl rand" in str(caught.value)
    assert not key.removeprefix("whsec_") or key.removeprefix("whsec_") not in str(caught.value)


def outbox_with(*offsets: int) -> Outbox:
    outbox = Outbox(LIMITS)
    for offset in offsets:
        outbox.put(Item(0, offset, f"m{offset}", "Apple"), 0.0)
    return outbox


def test_what_is_due_comes_in_order_and_nothing_before_its_time() -> None:
    outbox = outbox_with(3, 4)
    outbox.put(Item(0, 5, "m5", "Apple"), 10.0)
    assert [item.offset for item in (outbox.take(1.0), outbox.take(1.0)) if item] == [3, 4]
    assert outbox.take(9.9) is None
    assert outbox.next_due_s() == 10.0
    assert outbox.take(10.0) is not None


def test_a_receiver_in_trouble_rests_as_a_whole_but_never_long() -> None:
    outbox = outbox_with(1, 2)
    item = outbox.take(0.0)
    assert item is not None
    for _ in range(20):
        outbox.note(item, Later(60.0, "http_500"), None, 0.0)
    assert outbox.troubled
    assert outbox.take(MAX_REST_S - 0.1) is None
    assert outbox.take(MAX_REST_S) is not None
    outbox.note(item, Taken(), None, MAX_REST_S)
    assert not outbox.troubled


def test_a_wait_that_was_asked_for_counts_for_all() -> None:
    outbox = outbox_with(1, 2)
    item = outbox.take(0.0)
    assert item is not None
    outbox.note(item, Later(120.0, "http_429"), 120.0, 0.0)
    assert outbox.next_due_s() == 120.0


def test_a_partition_that_went_takes_its_mentions_along() -> None:
    outbox = outbox_with(1)
    outbox.put(Item(1, 1, "other", "Apple"), 0.0)
    outbox.drop(0)
    assert len(outbox) == 1


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"url": "http://hooks.example/x"}, "must be https"),
        ({"url": "ftp://hooks.example/x"}, "must be https://host"),
        ({"url": "https://user:word@hooks.example/"}, "carries credentials"),
        ({"url": "https://127.0.0.1/x"}, "may not lead to 127.0.0.1"),
        ({"url": "https://[::1]/x"}, "may not lead to ::1"),
        ({"url": "https://10.0.0.7/x"}, "SAKE_MENTIONS_WEBHOOK_ALLOW_NETWORKS"),
        ({"url": "http://8.8.8.8/x", "allow_networks": ("10.0.0.0/8",)}, "may not lead to 8.8.8.8"),
        ({"url": "https://hooks.example/x", "signing_key": ""}, "SIGNING_KEY"),
    ],
)
def test_a_webhook_that_is_unsafe_is_refused(changes: dict[str, object], told: str) -> None:
    with pytest.raises(OperatorError) as caught:
        webhook_config(WebhookSettings(**({"signing_key": KEY} | changes)))  # type: ignore[arg-type]
    assert told in str(caught.value)
    assert "word" not in str(caught.value)


def test_a_private_webhook_is_allowed_where_it_was_said() -> None:
    config = webhook_config(
        WebhookSettings(url="http://10.0.0.7:8080/x", signing_key=KEY, allow_networks=("10.0.0.0/8",))
    )
    assert config is not None
    assert KEY.removeprefix("whsec_") not in repr(config)
    assert webhook_config(WebhookSettings()) is None
