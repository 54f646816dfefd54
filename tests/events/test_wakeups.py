"""The relay is woken by commits, from this process and from others, and a lost wake-up is harmless."""

import shutil
import subprocess
import sys
from datetime import timedelta

import pytest
from django.db import connection

from bandstand import clock
from bandstand.events import wakeups
from bandstand.events.backends.wakeup import WakeFolder

LONG = timedelta(seconds=30)


@pytest.fixture
def waiter(db):
    waiter = wakeups.relay_waiter()
    yield waiter
    waiter.close()


def waited(waiter) -> float:
    started = clock.monotonic()
    waiter.wait(LONG)
    return clock.monotonic() - started


def test_a_wake_up_before_the_wait_is_not_lost(waiter):
    wakeups.relay()
    assert waited(waiter) < 5


def test_waking_nobody_is_harmless(db):
    wakeups.relay()


def test_another_process_of_the_same_database_wakes_the_relay(waiter):
    script = (
        "import pathlib, sys; from bandstand.events.backends.wakeup import WakeFolder;"
        "folder = WakeFolder(pathlib.Path(sys.argv[1])); folder.generation(); folder.notify('relay')"
    )
    with subprocess.Popen([sys.executable, "-c", script, f"{connection.settings_dict['NAME']}.wake"]) as other:
        assert waited(waiter) < 10
    assert other.returncode == 0


def test_a_waiter_of_its_own_process_is_woken_by_it():
    waiter, other = wakeups.ThreadWaiter("relay"), wakeups.ThreadWaiter("tasks")
    wakeups.ThreadWaiter.wake_all("relay")
    assert waited(waiter) < 5
    assert not other._event.is_set(), "another loop sleeps on"
    waiter.close()
    other.close()


def test_a_closed_waiter_leaves_no_address(tmp_path):
    folder = WakeFolder(tmp_path / "wake")
    folder.waiter("relay").close()
    assert not list((tmp_path / "wake").iterdir())
    folder.close()


def test_a_folder_that_somebody_removed_is_said_once_and_stops_nobody(tmp_path, caplog):
    folder = WakeFolder(tmp_path / "wake")
    waiter = folder.waiter("relay")
    shutil.rmtree(tmp_path / "wake")
    for _ in range(3):
        folder.generation()
        folder.notify("relay")
    assert [record.message for record in caplog.records] == ["loop.wake_ups_lost"]
    waiter.close()
    folder.close()


def test_a_listener_that_cannot_be_reached_is_said_once(tmp_path, caplog, monkeypatch):
    folder = WakeFolder(tmp_path / "wake")
    waiter = folder.waiter("relay")
    folder.generation()
    monkeypatch.setattr(folder, "address", lambda entry: "x" * 200)
    for _ in range(3):
        folder.notify("relay")
    assert [record.message for record in caplog.records] == ["loop.wake_ups_lost"]
    waiter.close()
    folder.close()
