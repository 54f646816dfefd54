"""The fair write lock: threads take turns, nobody starves, nothing keeps the lock that no longer needs it."""

import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from django.contrib.auth.models import Group
from django.db import DatabaseError, connection, connections, transaction

from bandstand import clock
from bandstand.database.sqlite.base import FairLock, _lock_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite(reason="PostgreSQL needs no such lock")]


def together(count, work):
    """Run *work(number)* in threads that close their connections, and raise what one of them raised."""

    def run(number):
        try:
            work(number)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(count) as pool:
        list(pool.map(run, range(count), timeout=60))


def fail():
    raise DatabaseError


def test_eight_writers_never_meet_a_locked_database_and_none_starves():
    longest = [0.0] * 8

    def write(number):
        for count in range(40):
            started = clock.monotonic()
            with transaction.atomic():
                Group.objects.count()
                Group.objects.create(name=f"{number}-{count}")
            longest[number] = max(longest[number], clock.monotonic() - started)

    together(8, write)
    assert Group.objects.count() == 320
    assert max(longest) < 2.0  # without the lock one thread waits for many seconds


def test_a_read_then_write_transaction_never_loses_an_update():
    counter = Group.objects.create(name="0")

    def increment(_):
        for _ in range(25):
            with transaction.atomic():
                row = Group.objects.get(pk=counter.pk)
                row.name = str(int(row.name) + 1)
                row.save()

    together(6, increment)
    counter.refresh_from_db()
    assert counter.name == "150"


def test_the_lock_is_granted_in_the_order_of_asking():
    lock, order, waiting = FairLock(), [], threading.Semaphore(0)
    lock.acquire()

    def take(number):
        waiting.release()
        lock.acquire()
        order.append(number)
        lock.release()

    threads = []
    for number in range(6):
        thread = threading.Thread(target=take, args=(number,))
        thread.start()
        waiting.acquire()
        deadline = clock.monotonic() + 5
        while len(lock._queue) <= number and clock.monotonic() < deadline:
            clock.sleep(0.001)
        threads.append(thread)
    lock.release()
    for thread in threads:
        thread.join(5)
    assert order == list(range(6))


@pytest.mark.parametrize("end", ["commit", "rollback", "error", "close"])
def test_the_lock_is_free_however_a_transaction_ends(end):
    def write(_):
        try:
            with transaction.atomic():
                Group.objects.create(name=end)
                if end == "rollback":
                    transaction.set_rollback(True)
                if end == "error":
                    fail()
                if end == "close":
                    connection.close()
        except DatabaseError:
            pass  # the error that this end is about, or its consequence

    together(1, write)
    assert not _lock_of(str(connection.settings_dict["NAME"]))._held
    with transaction.atomic():
        Group.objects.create(name="next")


def test_a_begin_that_fails_frees_the_lock():
    path = str(connection.settings_dict["NAME"])
    connection.ensure_connection()
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout")
        (patience,) = cursor.fetchone()
        cursor.execute("PRAGMA busy_timeout = 10")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseError, match="locked"), transaction.atomic():
            Group.objects.create(name="never")
        other.execute("ROLLBACK")
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA busy_timeout = {patience}")
    assert not _lock_of(path)._held
    with transaction.atomic():
        Group.objects.create(name="now")


def test_savepoints_do_not_release_the_lock_before_the_commit():
    with transaction.atomic():
        with transaction.atomic():
            Group.objects.create(name="inner")
        assert _lock_of(str(connection.settings_dict["NAME"]))._held
    assert not _lock_of(str(connection.settings_dict["NAME"]))._held


def test_several_processes_write_to_one_file_without_errors():
    code = (
        "import sys, django; from django.conf import settings;"
        "from bandstand.database import database_from_url;"
        "settings.configure(INSTALLED_APPS=[], DATABASES={'default': database_from_url('sqlite:///' + sys.argv[1])});"
        "django.setup(); from django.db import connection, transaction\n"
        "for n in range(100):\n"
        "    with transaction.atomic(), connection.cursor() as c:\n"
        "        c.execute('INSERT INTO auth_group (name) VALUES (%s)', [f'{sys.argv[2]}-{n}'])\n"
    )
    path = str(connection.settings_dict["NAME"])
    writers = [subprocess.Popen([sys.executable, "-c", code, path, str(number)]) for number in range(3)]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    assert Group.objects.count() == 300
