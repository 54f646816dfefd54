"""Whose lease may be taken at once."""

import os
import subprocess
import sys
from datetime import timedelta

import pytest

from bandstand import clock
from bandstand.events.leases import Leadership, Presence
from bandstand.events.owners import is_gone, own_name

LASTING = timedelta(hours=1)


def name_of_a_dead_process() -> str:
    code = "from bandstand.events.owners import own_name; print(own_name())"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def another(name: str, part: int, value: str) -> str:
    parts = name.split(":")
    parts[part] = value
    return ":".join(parts)


def test_a_process_that_has_ended_is_gone():
    assert is_gone(name_of_a_dead_process())


@pytest.mark.parametrize("pid", [str(os.getpid()), str(os.getppid()), "1"])
def test_one_that_lives_is_not(pid):
    assert not is_gone(another(own_name(), 2, pid))


def test_one_elsewhere_may_live():
    """Another kernel or another container, whatever its host is called."""
    assert not is_gone(another(name_of_a_dead_process(), 1, "0123456789ab"))


@pytest.mark.parametrize("name", ["", "host", "host:1:abcdef", "host::1:abcdef"])
def test_of_a_name_of_another_form_nothing_is_known(name):
    assert not is_gone(name)


def test_names_differ_and_fit_their_column():
    assert own_name() != own_name()
    assert len(own_name()) <= 100


def held_by(owner: str, lease: Leadership | Presence) -> Leadership | Presence:
    lease._owner = owner
    return lease


@pytest.mark.django_db
def test_the_lease_of_a_killed_process_is_taken_at_once():
    assert held_by(name_of_a_dead_process(), Leadership("relay", lasting=LASTING, using="default")).hold()
    successor, third = (Leadership("relay", lasting=LASTING, using="default") for _ in range(2))
    assert successor.hold()
    assert not third.hold()


@pytest.mark.django_db
def test_a_killed_process_is_counted_among_those_present_no_more():
    held_by(name_of_a_dead_process(), Presence("relay", lasting=LASTING, using="default"))._sign(clock.now())
    assert Presence("relay", lasting=LASTING, using="default").place() == (0, 1)
