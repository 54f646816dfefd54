"""A service's connections to PostgreSQL: bounded in time and number, healed after an outage, not shared by a fork."""

import subprocess
import sys
import threading
from contextlib import closing

import psycopg
import pytest
from django.db import OperationalError
from django.db.utils import ConnectionHandler

from bandstand import clock
from bandstand.database import connection_parameters, database_from_url
from bandstand.testing.engines import RunningEngine


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with RunningEngine("postgresql", tmp_path_factory.mktemp("postgresql")) as running:
        yield running


@pytest.fixture
def connect(server, django_db_blocker):
    """Call it with the options of a URL: a Django connection of a pool of its own."""
    opened = []

    def make(options=""):
        alias = f"pool-{clock.uuid7()}"
        handler = ConnectionHandler({"default": {}, alias: database_from_url(f"{server.url}?{options}")})
        opened.append(handler[alias])
        return handler, opened[-1]

    with django_db_blocker.unblock():
        yield make
    for connection in opened:
        connection.close()
        connection.close_pool()


def ask(connection, query):
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchone()[0] if cursor.description else None


def test_a_connection_has_the_timeouts_unless_the_url_says_otherwise(connect):
    _, connection = connect("lock_timeout=3s&options=-c%20work_mem%3D2MB")
    assert ask(connection, "SHOW statement_timeout") == "30s"
    assert ask(connection, "SHOW lock_timeout") == "3s"
    assert ask(connection, "SHOW idle_in_transaction_session_timeout") == "1min"
    assert ask(connection, "SHOW work_mem") == "2MB"


def test_a_statement_that_takes_too_long_is_ended_by_the_server(connect):
    _, connection = connect("statement_timeout=50ms")
    with pytest.raises(OperationalError, match="statement timeout"):
        ask(connection, "SELECT pg_sleep(30)")


def test_a_connection_goes_back_to_the_pool_and_the_next_thread_gets_it(connect):
    handler, connection = connect("pool_min_size=1&pool_max_size=1")
    backends = [ask(connection, "SELECT pg_backend_pid()")]
    connection.close_if_unusable_or_obsolete()

    def another_request():
        theirs = handler[connection.alias]
        backends.append(ask(theirs, "SELECT pg_backend_pid()"))
        theirs.close()

    thread = threading.Thread(target=another_request)
    thread.start()
    thread.join()
    assert backends[0] == backends[1]


def test_who_finds_the_pool_empty_is_refused_in_bounded_time(connect):
    handler, connection = connect("pool_min_size=1&pool_max_size=1&pool_timeout=0.2")
    ask(connection, "SELECT 1")
    refused = []

    def another_request():
        with pytest.raises(OperationalError) as error:
            ask(handler[connection.alias], "SELECT 1")
        refused.append(error)

    thread = threading.Thread(target=another_request)
    thread.start()
    thread.join(10)
    assert len(refused) == 1


def test_after_a_restart_of_the_server_the_first_to_ask_is_served_though_the_whole_pool_is_broken(server, connect):
    _, connection = connect("pool_min_size=4")
    before = ask(connection, "SELECT pg_backend_pid()")
    connection.pool.wait(10)
    connection.close()
    server.kill()
    server.start()
    began = clock.monotonic()
    assert ask(connection, "SELECT pg_backend_pid()") != before
    assert clock.monotonic() - began < 2, "one broken connection after another was tried"


FORKING = """
import os, sys
import django
from django.conf import settings
from bandstand.database import database_from_url
settings.configure(DATABASES={"default": database_from_url(sys.argv[1])})
django.setup()
from django.db import connection

def backend():
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return cursor.fetchone()[0]

parents = backend()
child = os.fork()
if child == 0:
    os._exit(0 if backend() != parents else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, "the child used its parent's connection"
assert backend() == parents, "the child closed its parent's connection"
print("done")
"""


def test_a_forked_child_opens_its_own_connections_and_leaves_its_parents_alone(server):
    command = [sys.executable, "-W", "error", "-c", FORKING, server.url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


TAKING_TURNS = """
import sys, threading
import django
from django.conf import settings
from bandstand.database import database_from_url
settings.configure(DATABASES={"default": database_from_url(sys.argv[1] + "?statement_timeout=100ms")})
django.setup()
from django.db import connection
from bandstand.clock import sleep
from bandstand.database.turns import one_at_a_time

inside, most, gate = 0, 0, threading.Barrier(3)

def replica():
    global inside, most
    gate.wait()
    with one_at_a_time("migrate"):
        inside += 1
        most = max(most, inside)
        sleep(0.3)  # longer than any statement may take
        inside -= 1
    connection.close()

replicas = [threading.Thread(target=replica) for _ in range(3)]
for each in replicas: each.start()
for each in replicas: each.join()
print(most)
"""


def test_what_must_not_be_done_at_once_is_done_in_turns(server):
    command = [sys.executable, "-W", "error", "-c", TAKING_TURNS, server.url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")


def test_the_driver_alone_connects_by_the_same_url(server):
    parameters = connection_parameters(f"{server.url}?pool_max_size=3&statement_timeout=7s")
    with closing(psycopg.connect(**parameters)) as connection:
        assert connection.execute("SHOW statement_timeout").fetchone() == ("7s",)
