"""Reaching the shared server: TLS and password; who is at fault when it does not work."""

import asyncio
import shutil
import ssl
import subprocess
from dataclasses import replace

import pytest
from support.cut_line import line_to
from support.searching import ScriptedProvider
from support.valkey import Valkey

from sake_model.deadline import Deadline
from sake_model.search.cache import SearchCache
from sake_model.search.factory import SearchConfig, build_pool
from sake_model.search.interface import SearchRequest
from sake_model.search.limits import ProviderLimits, Rate
from sake_model.search.pool import Member, SearchPool
from sake_model.search.shared.connect import open_shared
from sake_model.search.shared.limits import SharedConfig, SharedLimits
from sake_model.search.shared.server import SharedAway
from schemas.entities import Tool
from schemas.errors import Fault, OperatorError

LIMITS = ProviderLimits(rates=(Rate(50, 1.0),))
PATIENT = SharedLimits(heartbeat_s=0.05, lease_s=5.0, timeout_s=10.0)
KEY = "secret-of-the-server"


def config(url, **other):
    return SharedConfig(url=url, member="a", workers=1, limits=PATIENT, **other)


async def searched(shared_config):
    """One search through a pool that shares, and the server's side of it."""
    shared = open_shared(shared_config, (LIMITS,))
    provider = ScriptedProvider()
    async with SearchPool((Member(provider, LIMITS),), SearchCache(None), shared=shared) as pool:
        outcome = await pool.search(SearchRequest(Tool.TEXT, "Ada"), Deadline.after(60))
        return outcome, shared._server.alone_s


async def test_a_password_opens_it():
    with Valkey("--requirepass", KEY) as server:
        outcome, alone_s = await searched(config(server.url, password=KEY))
        assert (len(outcome.results), alone_s) == (1, None)


@pytest.mark.parametrize("password", ["", "wrong"])
async def test_a_wrong_password_is_the_operators_matter_and_is_said_before_work_begins(password):
    with Valkey("--requirepass", KEY) as server:
        with pytest.raises(OperatorError, match="SAKE_SEARCH_SHARED_PASSWORD") as error:
            await searched(config(server.url, password=password))
        assert KEY not in str(error.value)


async def test_a_server_that_may_forget_calls_to_make_room_is_refused():
    with (
        Valkey("--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru") as server,
        pytest.raises(OperatorError, match="volatile-ttl"),
    ):
        await searched(config(server.url))
    with Valkey("--maxmemory", "50mb", "--maxmemory-policy", "volatile-ttl") as server:
        outcome, _ = await searched(config(server.url))
        assert outcome.results


@pytest.fixture
def certificate(tmp_path):
    """Files of a self-signed certificate of localhost, and of its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl here to make a certificate")
    key, ca = tmp_path / "key.pem", tmp_path / "ca.pem"
    name = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    making = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", *name, "-keyout", key, "-out", ca]
    subprocess.run(making, check=True, capture_output=True)
    return ca, key


async def test_tls_by_an_authority_of_ones_own(certificate):
    ca, key = certificate
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(ca, key)
    with Valkey() as server:
        async with line_to(server.port, tls) as line:
            secure = config(f"rediss://localhost:{line.port}/0", ca_file=ca)
            _, alone_s = await searched(secure)
            assert alone_s is None
            stranger = open_shared(replace(secure, ca_file=None), (LIMITS,))
            await stranger.check()  # not the operator's fault by what can be known: it may be mended there
            assert stranger._server.alone_s is not None
            await stranger.close()


async def test_a_server_that_is_away_is_a_networks_matter_and_work_begins():
    with Valkey() as server:
        url = server.url
    shared = open_shared(config(url), (LIMITS,))
    await shared.check()
    with pytest.raises(SharedAway) as error:
        await shared._server.take("brave", "1", 1, 1.0, LIMITS.rates)
    assert error.value.fault is Fault.NETWORK
    await shared.close()


async def test_a_server_that_says_nothing_holds_nobody_up():
    with Valkey() as server:
        times = SharedLimits(heartbeat_s=0.05, lease_s=1.0, timeout_s=0.3, patience_s=0.1)
        shared = open_shared(replace(config(server.url), limits=times), (LIMITS,))
        await shared._server.started()
        assert shared._server.alone_s is None
        server.freeze()
        async with asyncio.timeout(60):
            assert await shared.answers.get("anything") is None
            while shared._server.alone_s is None:
                await asyncio.sleep(0.02)
        server.thaw()
        async with asyncio.timeout(60):
            while shared._server.alone_s is not None:
                await asyncio.sleep(0.02)
        await shared.close()


async def test_who_leaves_is_not_waited_for():
    with Valkey() as server:
        one, other = (open_shared(replace(config(server.url), member=name), (LIMITS,)) for name in "ab")
        await one._server.started()
        await other._server.started()
        client = other._server._redis
        assert await client.zcard("{sake-search:1}:members") == 2
        await one.close()
        assert await client.zrange("{sake-search:1}:members", 0, -1) == [b"b"]
        await other.close()


WHOLE = SearchConfig(providers=("brave",), brave_key="k", shared_url="redis://127.0.0.1:1/0")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shared_url": "http://127.0.0.1"}, "SAKE_SEARCH_SHARED_URL"),
        ({"shared_url": "redis://user:pass@127.0.0.1"}, "SAKE_SEARCH_SHARED_PASSWORD"),
        ({"shared_url": "redis://127.0.0.1:port"}, "SAKE_SEARCH_SHARED_URL"),
        ({"shared_workers": 0}, "SAKE_SEARCH_SHARED_WORKERS"),
        ({"shared_ca_file": "ca.pem"}, "rediss"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path, changes, message):
    with pytest.raises(OperatorError, match=message) as error:
        build_pool(replace(WHOLE, **changes), tmp_path)
    assert "pass@" not in str(error.value)


async def test_only_what_has_a_quota_is_shared(tmp_path):
    async with build_pool(replace(WHOLE, shared_password=KEY), tmp_path) as pool:
        assert pool._shared is not None
        assert not (tmp_path / "search" / "limits.sqlite").exists()
    assert KEY not in repr(replace(WHOLE, shared_password=KEY))


async def test_it_ends_at_whatever_moment_it_is_told_to():
    """The client library can swallow a cancellation that comes while it speaks."""
    with Valkey() as server:
        busy = SharedLimits(heartbeat_s=0.001, lease_s=5.0, timeout_s=10.0)
        for number in range(60):
            shared = open_shared(replace(config(server.url), limits=busy), (LIMITS,))
            await shared._server.started()
            await asyncio.sleep(0.0003 * (number % 11))
            async with asyncio.timeout(60):
                await shared.close()
