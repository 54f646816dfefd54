"""One event among ten thousand that its consumer cannot digest: the rest flows, and a person mends the one."""

import json
from collections.abc import Callable
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from bandstand import clock
from bandstand.events import Event, consumer, publish
from bandstand.events.models import DeadLetter
from tests.events.staging import Stage, own_registry, staged
from tests.trials.promises import tables

EVENTS, SUBJECTS, POISONED = 10_000, 50, 4_711
IMPATIENT = {"ATTEMPTS": 3, "RETRY_BASE": timedelta(milliseconds=20)}


@pytest.fixture
def measured():
    """A consumer that writes an effect for each measurement, and cannot take one below zero."""
    with own_registry():

        class Measured(Event, name="project.measured.v1", subject="place"):
            place: str
            number: int
            degrees: int

        @consumer(Measured)
        def note_degrees(event, envelope):
            with connection.cursor() as cursor:
                cursor.execute(
                    "INSERT INTO trial_effect (number, subject) VALUES (%s, %s)", (event.number, event.place)
                )
            if event.degrees < 0:
                raise ValueError("colder than nothing")

        yield Measured


@pytest.fixture
def stage(tmp_path, transactional_db, measured):
    tables()
    with staged(tmp_path, **IMPATIENT) as found:
        yield found


def deadletters(*words: str) -> str:
    out = StringIO()
    call_command("deadletters", *words, stdout=out)
    return out.getvalue()


def applied() -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT number FROM trial_effect ORDER BY id")
        return [number for (number,) in cursor.fetchall()]


def count() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM trial_effect")
        return int(cursor.fetchone()[0])


def until(condition: Callable[[], object]) -> None:
    """Look now and then: the loops share this process with whoever waits for them."""
    deadline = clock.monotonic() + 120
    while not condition():
        assert clock.monotonic() < deadline, f"{count()} of {EVENTS} were applied in time"
        clock.sleep(0.1)


def measure(event: type[Event]) -> None:
    for first in range(0, EVENTS, 500):
        with transaction.atomic():
            for number in range(first, first + 500):
                degrees = -1 if number == POISONED else 20
                publish(event(place=f"place-{number % SUBJECTS}", number=number, degrees=degrees))


def test_the_rest_flows_and_the_one_is_edited_replayed_and_applied_once(stage: Stage, measured):
    measure(measured)
    with stage.running("relay", "consumers"):
        until(lambda: count() == EVENTS - 1 and DeadLetter.objects.exists())
        (letter,) = json.loads(deadletters("list", "--json"))
        shown = json.loads(deadletters("show", letter["id"], "--json"))
        assert (letter["subject"], letter["attempts"]) == (f"place-{POISONED % SUBJECTS}", 3)
        assert "in note_degrees" in shown["traceback"]
        assert "ValueError: colder than nothing" in shown["traceback"]
        assert POISONED not in applied()
        assert "degrees" in deadletters("edit", letter["id"], "--set", "degrees=1", "--note", "the sign was wrong")
        assert deadletters("replay", letter["id"]).startswith("1 replayed")
        until(lambda: count() == EVENTS)
    found = applied()
    assert sorted(found) == list(range(EVENTS))
    found.remove(POISONED)
    assert all(in_order([number for number in found if number % SUBJECTS == place]) for place in range(SUBJECTS))
    assert json.loads(deadletters("list", "--json")) == []


def in_order(numbers: list[int]) -> bool:
    return numbers == sorted(numbers)
