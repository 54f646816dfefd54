"""Tasks of committed transactions run in a real Celery worker behind a real broker, whatever is killed."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from base64 import b64decode
from collections.abc import Iterator
from contextlib import closing, contextmanager

import amqp
import pytest
import redis
from django.test import override_settings

from bandstand.engines import Absent
from bandstand.tasks.api import task_backends
from bandstand.testing.engines import RunningEngine
from tests.tasks.staging import eventually


class Place:
    """A database and a broker, and the processes that use them."""

    def __init__(self, folder, broker: RunningEngine) -> None:
        self.folder = folder
        self.broker = broker
        self.database = folder / "actor.sqlite3"
        results = {"ACTOR_RESULTS_URL": broker.url} if broker.url.startswith("redis") else {}
        self.environment = (
            os.environ
            | results
            | {
                "ACTOR_DATABASE_URL": f"sqlite:///{self.database}",
                "ACTOR_BROKER_URL": broker.url,
                "DJANGO_SETTINGS_MODULE": "tests.tasks.broker_settings",
            }
        )

    def tell(self, *words: str) -> list[str]:
        """Let the service do one thing; what it printed."""
        command = [sys.executable, "-m", "tests.tasks.brokered", *words]
        done = subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True)
        return done.stdout.split()

    @contextmanager
    def handing_over(self) -> Iterator[None]:
        command = [sys.executable, "-m", "tests.tasks.brokered", "hand_over"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, env=self.environment) as process:
            yield
            process.communicate()
        assert process.returncode == 0

    @contextmanager
    def working(self) -> Iterator[subprocess.Popen]:
        """Celery's own command, as an operator starts it."""
        options = [
            "-Q",
            "actor.tasks.default",
            "--concurrency",
            "1",
            "--without-mingle",
            "--without-gossip",
            "--loglevel",
            "WARNING",
        ]
        command = [sys.executable, "-m", "celery", "-A", "bandstand.tasks.celery.worker", "worker", *options]
        with (self.folder / "celery.log").open("ab") as log:
            process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log, process_group=0)
            try:
                yield process
            finally:
                kill(process, signal.SIGTERM)

    def read(self, statement: str) -> list[tuple]:
        with closing(sqlite3.connect(self.database, timeout=30)) as found:
            return found.execute(statement).fetchall()

    def all_have(self, state: str) -> bool:
        return {row[0] for row in self.read("SELECT state FROM bandstand_tasks_task")} == {state}


def kill(process: subprocess.Popen, number: int) -> None:
    """End all its processes."""
    if process.poll() is None:
        os.killpg(process.pid, number)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture(scope="module", params=["valkey", "rabbitmq"])
def broker(request, tmp_path_factory) -> Iterator[RunningEngine]:
    try:
        server = RunningEngine(request.param, tmp_path_factory.mktemp(request.param))
    except Absent as absent:
        pytest.skip(str(absent))
    with server:
        yield server


def empty(broker: RunningEngine) -> None:
    """Forget what an earlier test left."""
    if broker.url.startswith("redis"):
        with redis.Redis.from_url(broker.url) as client:
            client.flushall()
    else:
        with amqp.Connection(f"127.0.0.1:{broker.port}") as connection:
            connection.channel().queue_delete("actor.tasks.default")


@pytest.fixture
def place(tmp_path, broker) -> Place:
    empty(broker)
    place = Place(tmp_path, broker)
    place.tell("migrate")
    return place


def test_committed_tasks_run_once_in_the_worker_within_their_correlation(place):
    with place.handing_over(), place.working():
        ids = place.tell("enqueue", "20")
        eventually(lambda: place.all_have("successful"), seconds=60)
    kept = [number for number in range(20) if number % 10 != 9]
    effects = sorted(place.read("SELECT number, task FROM effect"))
    assert effects == [(number, f"correlation-{number}") for number in kept]
    results = place.read("SELECT result FROM bandstand_tasks_task ORDER BY id")
    assert results[0] == ('"0 for ada@example.com"',)
    if place.broker.url.startswith("redis"):
        with redis.Redis.from_url(place.broker.url) as client:
            assert b"0 for ada" in client.get(f"celery-task-meta-{ids[0]}"), "Celery's own results, where configured"


def message_in(broker: RunningEngine, queue: str) -> str:
    """Headers and body of the one message in a queue."""
    if broker.url.startswith("redis"):
        with redis.Redis.from_url(broker.url) as client:
            (message,) = client.lrange(queue, 0, -1)
        return message.decode() + b64decode(json.loads(message)["body"]).decode()
    with amqp.Connection(f"127.0.0.1:{broker.port}") as connection:
        message = connection.channel().basic_get(queue)
        return f"{message.headers} {message.body}"


def test_the_broker_sees_ids_only(place):
    with place.handing_over():
        (task,) = place.tell("enqueue", "1")
        eventually(lambda: place.all_have("sent"))
    eventually(lambda: task in message_in(place.broker, "actor.tasks.default"))
    message = message_in(place.broker, "actor.tasks.default")
    assert "ada" not in message
    assert "correlation-0" in message


def test_a_worker_killed_in_the_middle_of_a_task_is_followed_by_one_that_runs_it_again(place):
    finish = place.folder / "finish"
    with place.handing_over():
        with place.working() as first:
            (task,) = place.tell("hold", str(finish))
            eventually(lambda: place.read("SELECT 1 FROM effect"), seconds=60)
            kill(first, signal.SIGKILL)
        finish.touch()
        with place.working():
            eventually(lambda: place.all_have("successful"), seconds=60)
    assert place.read("SELECT number, task FROM effect") == [(1, task), (1, task), (2, task)]


def test_tasks_enqueued_while_the_broker_is_down_are_handed_over_when_it_is_back(place):
    place.broker.kill()
    with place.handing_over():
        place.tell("enqueue", "3")
        place.broker.start()
        with place.working():
            eventually(lambda: place.all_have("successful"), seconds=60)
    assert len(place.read("SELECT number FROM effect")) == 3


def found(url: str, **conf: object) -> list[str]:
    """What the checks say of a backend with these settings of Celery."""
    options = {"BROKER_URL": url, "CONF": conf} if url else {}
    alias = f"celery {url} {conf}"  # applications are made once for each alias
    with override_settings(TASKS={alias: {"BACKEND": "bandstand.tasks.celery.CeleryBackend", "OPTIONS": options}}):
        return [message.id.removeprefix("bandstand.") for message in task_backends[alias].check()]


@pytest.mark.parametrize("url", ["amqp://localhost", "redis://localhost"])
def test_the_defaults_are_safe(url):
    assert found(url) == []


@pytest.mark.parametrize(
    ("url", "conf", "ids"),
    [
        ("", {}, ["E411"]),
        ("amqp://localhost", {"task_acks_late": False}, ["E412"]),
        ("amqp://localhost", {"task_reject_on_worker_lost": None, "worker_detect_quorum_queues": False}, ["E412"] * 2),
        ("amqp://localhost", {"broker_transport_options": {}, "task_default_queue_type": "classic"}, ["E412"] * 2),
        ("redis://localhost", {"broker_transport_options": {}}, ["E414"]),
        ("redis://localhost", {"accept_content": ["json", "pickle"]}, ["E413"]),
    ],
)
def test_settings_that_could_lose_a_task_or_run_foreign_code_are_named(url, conf, ids):
    assert found(url, **conf) == ids
