"""Wake-ups on PostgreSQL: by NOTIFY from a connection of its own, never within anybody's transaction."""

import os
import subprocess
import sys
import threading
import warnings
from datetime import timedelta

import psycopg
import pytest
from django.db import connections, transaction
from tests.events.postgres import ALIAS

from bandstand import clock
from bandstand.events import Event, publish, wakeups
from bandstand.events.models import OutboxRow

LONG = timedelta(seconds=30)


class ThingMade(Event, name="project.thing_made.v1", subject="thing"):
    """A thing exists."""

    thing: str


@pytest.fixture
def waiter(postgres_stage):
    waiter = wakeups.relay_waiter()
    waiter.wait(LONG)  # begins to listen
    yield waiter
    waiter.close()


@pytest.fixture
def watcher(postgres_url):
    """A connection that sees what the server sees."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        yield connection


def waited(waiter) -> float:
    started = clock.monotonic()
    waiter.wait(LONG)
    return clock.monotonic() - started


def announce(*things):
    with transaction.atomic(using=ALIAS):
        for thing in things:
            publish(ThingMade(thing=thing))


def until(condition):
    deadline = clock.monotonic() + 10
    while not condition():
        assert clock.monotonic() < deadline, "it did not become true in time"
        clock.sleep(0.005)


def connected(watcher, name):
    found = watcher.execute("SELECT pid FROM pg_stat_activity WHERE application_name = %s", (name,)).fetchall()
    return [pid for (pid,) in found]


def test_a_commit_wakes_the_relay(waiter):
    announce("a")
    assert waited(waiter) < 5


def test_a_wake_up_before_the_wait_is_not_lost(waiter, watcher):
    watcher.execute("NOTIFY bandstand_relay")
    assert waited(waiter) < 5


def test_a_rolled_back_transaction_wakes_nobody(waiter, watcher):
    with transaction.atomic(using=ALIAS):
        publish(ThingMade(thing="a"))
        transaction.set_rollback(True, using=ALIAS)
    waiter.wait(timedelta(milliseconds=50))
    assert connected(watcher, "bandstand notify") == []


def test_many_commits_share_few_notifications(waiter, watcher, postgres_url):
    with psycopg.connect(postgres_url, autocommit=True) as listener:
        listener.execute("LISTEN bandstand_relay")
        started = clock.monotonic()
        for number in range(200):
            announce(f"thing-{number}")
        wakeups.close()
        lasted = clock.monotonic() - started
        heard = len(list(listener.notifies(timeout=0.1)))
    assert 1 <= heard <= lasted / 0.005 + 2
    assert heard < 200


def test_the_transaction_of_the_writer_notifies_nobody(waiter, watcher):
    """Commits that notify queue at one lock of the whole server."""
    announce("a")
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (writer,) = cursor.fetchone()
    with psycopg.connect(watcher.info.dsn, autocommit=True) as listener:
        listener.execute("LISTEN bandstand_relay")
        announce("b")
        (heard, *_) = listener.notifies(timeout=10, stop_after=1)
        assert heard.pid != writer
        assert connected(watcher, "bandstand notify") == [heard.pid]


def test_a_lost_listener_listens_again_and_wakes_for_what_it_may_have_missed(waiter, watcher):
    (pid,) = connected(watcher, "bandstand listen")
    watcher.execute("SELECT pg_terminate_backend(%s)", (pid,))
    until(lambda: not connected(watcher, "bandstand listen"))

    def listens():
        waiter.wait(timedelta(milliseconds=20))
        return connected(watcher, "bandstand listen")

    until(listens)
    announce("a")
    assert waited(waiter) < 5


def test_a_lost_notifier_connects_again(waiter, watcher):
    announce("a")
    until(lambda: connected(watcher, "bandstand notify"))
    (pid,) = connected(watcher, "bandstand notify")
    watcher.execute("SELECT pg_terminate_backend(%s)", (pid,))

    def connects_again():
        announce("b")
        return connected(watcher, "bandstand notify") not in ([], [pid])

    until(connects_again)


def test_publishing_goes_on_when_no_wake_up_can_be_sent(postgres_stage, monkeypatch):
    announce("a")
    wakeups.close()
    monkeypatch.setitem(connections.settings[ALIAS], "PORT", "1")
    announce("b")
    assert OutboxRow.objects.using(ALIAS).count() == 2


def test_waking_from_within_the_process_ends_a_wait(waiter):
    threading.Timer(0.05, waiter.wake).start()
    assert waited(waiter) < 5


def test_closing_gives_the_connections_back(postgres_stage, watcher):
    waiter = wakeups.relay_waiter()
    waiter.wait(LONG)
    announce("a")
    wakeups.close()
    waiter.close()
    until(lambda: not connected(watcher, "bandstand listen") and not connected(watcher, "bandstand notify"))


def test_a_child_of_a_fork_opens_its_own(waiter, watcher):
    announce("a")
    assert waited(waiter) < 5
    parents = connected(watcher, "bandstand notify")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking beside threads is what this is about
        child = os.fork()
    if not child:
        wakeups.relay()
        wakeups.close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert waited(waiter) < 5
    assert connected(watcher, "bandstand notify") == parents


def test_a_process_that_publishes_and_ends_at_once_still_wakes_the_relay(waiter, postgres_url):
    script = (
        "import sys, django; from django.conf import settings; from bandstand.database import database_from_url\n"
        "settings.configure(DATABASES={'default': database_from_url(sys.argv[1])}, USE_TZ=True)\n"
        "django.setup(); from bandstand.events import wakeups; wakeups.relay()"
    )
    done = subprocess.run([sys.executable, "-c", script, postgres_url], check=False, timeout=30)
    assert done.returncode == 0
    assert waited(waiter) < 5


def test_the_loop_on_postgresql_carries_events_long_before_the_safety_poll(postgres_stage):
    with postgres_stage.running("relay"):
        announce("warm")
        postgres_stage.eventually(lambda: not OutboxRow.objects.using(ALIAS).exists())
        for number in range(5):
            announce(f"t{number}")
            postgres_stage.eventually(lambda: not OutboxRow.objects.using(ALIAS).exists(), seconds=0.7)
