"""How Kafka is reached: what fits together and what clients are told."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from schemas.errors import OperatorError
from workers.connection import KafkaConnection


def test_plain_text_needs_only_servers() -> None:
    assert KafkaConnection("a:1, b:2").options() == {
        "bootstrap_servers": ["a:1", "b:2"],
        "security_protocol": "PLAINTEXT",
    }


def test_sasl_over_tls_names_the_mechanism_and_trusts_the_system() -> None:
    options = KafkaConnection(
        "a:1",
        security_protocol="SASL_SSL",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_username="me",
        sasl_password="secret",
    ).options()
    assert options["sasl_mechanism"] == "SCRAM-SHA-512"
    assert (options["sasl_plain_username"], options["sasl_plain_password"]) == ("me", "secret")
    context = options["ssl_context"]
    assert isinstance(context, ssl.SSLContext)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


def test_a_password_is_never_shown() -> None:
    connection = KafkaConnection(
        "a:1", security_protocol="SASL_PLAINTEXT", sasl_username="me", sasl_password="secret"
    )
    assert "secret" not in repr(connection)


def test_what_does_not_fit_together_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="SAKE_KAFKA_BOOTSTRAP_SERVERS"):
        KafkaConnection("")
    with pytest.raises(OperatorError, match="user name and a password"):
        KafkaConnection("a:1", security_protocol="SASL_SSL")
    with pytest.raises(OperatorError, match=r"no file .*missing\.pem"):
        KafkaConnection("a:1", security_protocol="SSL", ssl_ca_file=tmp_path / "missing.pem")


def test_an_unreadable_certificate_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "ca.pem"
    broken.write_text("not a certificate")
    connection = KafkaConnection("a:1", security_protocol="SSL", ssl_ca_file=broken)
    with pytest.raises(OperatorError, match="cannot be read"):
        connection.options()
