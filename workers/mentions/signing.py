"""Signatures of webhook requests, after the Standard Webhooks specification (standardwebhooks.com, v1).

A request carries three headers:

    webhook-id         names the message; equal for every attempt at it: drop what you have seen
    webhook-timestamp  when this attempt was made, in seconds since 1970
    webhook-signature  `v1,` + base64 of HMAC-SHA256 over `{id}.{timestamp}.{body}`; spaces part several

The timestamp is part of what is signed. A receiver compares it with its own clock and refuses what is
more than five minutes off, so that a recorded request is worth nothing later. Libraries that verify
this exist for most languages.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

from schemas.errors import OperatorError

__all__ = ["REPLAY_WINDOW_S", "read_key", "signature_headers"]

REPLAY_WINDOW_S = 300
"""How far a receiver lets the timestamp be off (the specification's libraries: five minutes)."""

KEY_PREFIX = "whsec_"
# The specification's bounds.
MIN_KEY_BYTES, MAX_KEY_BYTES = 24, 64


def read_key(text: str) -> bytes:
    """The secret bytes of a key as it is written. Raises OperatorError, without quoting the key."""
    advice = 'make one with: echo "whsec_$(openssl rand -base64 32)"'
    if not text.startswith(KEY_PREFIX):
        raise OperatorError(f"a webhook key begins with {KEY_PREFIX}; {advice}")
    try:
        key = base64.b64decode(text.removeprefix(KEY_PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise OperatorError(
            f"what follows {KEY_PREFIX} in the webhook key is not base64; {advice}"
        ) from error
    if not MIN_KEY_BYTES <= len(key) <= MAX_KEY_BYTES:
        raise OperatorError(
            f"a webhook key has {MIN_KEY_BYTES} to {MAX_KEY_BYTES} bytes, this one {len(key)}; {advice}"
        )
    return key


def signature_headers(keys: tuple[bytes, ...], message_id: str, time_s: int, body: bytes) -> dict[str, str]:
    """The three headers of one attempt, signed with every key: while a key is exchanged there are two."""
    signed = f"{message_id}.{time_s}.".encode() + body
    signatures = (base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode() for key in keys)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(time_s),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
