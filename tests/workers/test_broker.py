"""The embedded broker as a process: it comes up, keeps its data, and never outlives its parent."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import textwrap
from pathlib import Path

import pytest
from support.kafka import Kafka

from schemas.errors import OperatorError
from workers.broker import EmbeddedBroker
from workers.connection import KafkaConnection
from workers.topics import TopicNames, check_topics, create_topics

pytestmark = pytest.mark.integration


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"


async def gone(pid: int) -> None:
    async with asyncio.timeout(10):
        while alive(pid):
            await asyncio.sleep(0.02)


async def test_records_and_address_survive_a_restart(tmp_path: Path) -> None:
    async with EmbeddedBroker(tmp_path) as broker:
        kafka = Kafka(KafkaConnection(broker.bootstrap_servers), TopicNames.of("t"), "g", broker)
        await kafka.create(partitions=1)
        await kafka.produce([(b"k", b"v", ())])
        before, pid = broker.bootstrap_servers, broker.pid
        await broker.restart()
        assert broker.bootstrap_servers == before
        assert broker.pid != pid
        assert await create_topics(kafka.connection, kafka.names) == ()
        await kafka.produce([(b"k", b"w", ())])
        assert [record.value for record in await kafka.read("t.posts")] == [b"v", b"w"]


async def test_it_is_found_by_others_only_while_it_runs(tmp_path: Path) -> None:
    assert EmbeddedBroker.running_at(tmp_path) is None
    async with EmbeddedBroker(tmp_path) as broker:
        assert EmbeddedBroker.running_at(tmp_path) == broker.bootstrap_servers
        pid = broker.pid
    assert EmbeddedBroker.running_at(tmp_path) is None
    assert pid is not None
    assert not alive(pid)


async def test_a_second_broker_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    async with EmbeddedBroker(tmp_path):
        with pytest.raises(OperatorError, match="another process runs the broker"):
            await EmbeddedBroker(tmp_path).start()


async def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OperatorError, match=f"port {port} is in use"):
            await EmbeddedBroker(tmp_path, port=port).start()


async def test_a_broker_that_dies_at_once_is_quoted(tmp_path: Path) -> None:
    (tmp_path / "noida.control.json").mkdir()  # what it wants to write there is a file
    with pytest.raises(OperatorError, match=r"the embedded broker (ended at once|did not answer)"):
        await EmbeddedBroker(tmp_path).start()


async def test_it_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    script = textwrap.dedent(f"""
        import asyncio
        from pathlib import Path
        from workers.broker import EmbeddedBroker

        async def main():
            async with EmbeddedBroker(Path({str(tmp_path)!r})) as broker:
                print(broker.pid, flush=True)
                await asyncio.sleep(60)

        asyncio.run(main())
        """)
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE, cwd=Path.cwd()
    )
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    assert alive(pid)
    parent.send_signal(signal.SIGKILL)
    await parent.wait()
    await gone(pid)


async def test_the_operator_hears_which_topics_are_missing(tmp_path: Path) -> None:
    async with EmbeddedBroker(tmp_path) as broker:
        connection = KafkaConnection(broker.bootstrap_servers)
        with pytest.raises(OperatorError, match=r"missing on .*: t\.posts, t\.recognitions"):
            await check_topics(connection, ("t.posts", "t.recognitions"))
