"""RabbitMQ starts beside any other of the machine, keeps what it confirmed, and leaves nothing behind."""

import subprocess
import sys
from pathlib import Path

import amqp
import pytest
from tests.servers import rabbitmq_knows_its_queues, skip_where_absent

from bandstand import clock
from bandstand.engines import ENGINES
from bandstand.engines.ports import free_port
from bandstand.testing.engines import RunningEngine

skip_where_absent("rabbitmq")


@pytest.fixture
def server(tmp_path):
    with RunningEngine("rabbitmq", tmp_path) as server:
        yield server


@pytest.fixture
def orphaned_port(tmp_path):
    """The port of a server whose parent was killed as soon as it answered."""
    port = free_port()
    script = "import subprocess, sys; subprocess.run([sys.executable, '-m', 'bandstand.engines', *sys.argv[1:]])"
    arguments = ["rabbitmq", "--folder", str(tmp_path / "data"), "--port", str(port)]
    parent = subprocess.Popen([sys.executable, "-c", script, *arguments], stdout=subprocess.DEVNULL)
    _until(lambda: ENGINES["rabbitmq"].is_ready(port))
    parent.kill()
    parent.wait()
    return port


def test_rabbitmq_keeps_what_it_confirmed_when_it_is_killed_and_takes_its_helpers_along(server, tmp_path):
    with _connection(server.port) as connection:
        channel = connection.channel()
        channel.queue_declare("kept", durable=True, auto_delete=False, arguments={"x-queue-type": "quorum"})
        channel.basic_publish_confirm(amqp.Message("1", delivery_mode=2), routing_key="kept")
    _until(lambda: rabbitmq_knows_its_queues(tmp_path))
    server.kill()
    _until(lambda: not _processes_of(tmp_path))
    server.start()
    with _connection(server.port) as connection:
        channel = connection.channel()  # the queue elects its leader after the first handshakes
        _until(lambda: channel.queue_declare("kept", passive=True).message_count == 1)
    server.stop()
    _until(lambda: not _processes_of(tmp_path))


def test_rabbitmq_dies_with_whoever_started_it(orphaned_port, tmp_path):
    _until(lambda: not ENGINES["rabbitmq"].is_ready(orphaned_port))
    _until(lambda: not _processes_of(tmp_path))


def _connection(port):
    return amqp.Connection(f"127.0.0.1:{port}")


def _processes_of(folder: Path) -> list[Path]:
    """The server and its epmd: both have their home in the folder."""
    return [process for process in Path("/proc").glob("[0-9]*") if f"HOME={folder}/".encode() in _environment(process)]


def _environment(process: Path) -> bytes:
    try:
        return (process / "environ").read_bytes()
    except OSError:  # of another user, or just gone
        return b""


def _until(condition, seconds=60):
    deadline = clock.monotonic() + seconds
    while not condition():
        assert clock.monotonic() < deadline
        clock.sleep(0.05)
