"""What the loops of a service make of a bus, whichever it is; a test class provides the fixture `url`."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.db import transaction

from bandstand.events import Event, consumer, dead_letters, publish, registry, replaying, upcasting
from bandstand.events.history import history, publisher
from bandstand.events.models import OutboxRow
from bandstand.events.relay.outbox import Row
from tests.events.staging import Stage, own_registry, staged

SUBJECTS = "abcde"
SOON = timedelta(milliseconds=20)


class ThingMade(Event, name="project.thing_made.v1", subject="thing"):
    """A thing exists."""

    thing: str
    number: int


def make(*numbers: int, things: str = SUBJECTS) -> None:
    for number in numbers:
        with transaction.atomic():
            for thing in things:
                publish(ThingMade(thing=thing, number=number))


def effects(prefix: str = "") -> list[str]:
    return list(Group.objects.filter(name__startswith=prefix).order_by("id").values_list("name", flat=True))


class WithStage:
    @pytest.fixture
    def store(self) -> str:
        """The event store; none unless a bus needs one."""
        return ""

    @pytest.fixture
    def stage(self, url: str, store: str, tmp_path, transactional_db) -> Iterator[Stage]:
        with own_registry():
            for each in (registry._declared, registry._consumers, registry._local, upcasting._upcasters):
                each.clear()
            settings = {"BUS_URL": url, "EVENT_STORE": store, "ATTEMPTS": 3, "RETRY_BASE": SOON, "RETRY_CAP": SOON}
            with staged(tmp_path, **settings) as stage:
                yield stage
                if store:
                    history().close()

    @pytest.fixture
    def poison(self, stage) -> set[int]:
        """Numbers that the consumer `note` cannot bear."""
        poison: set[int] = set()

        @consumer(ThingMade, name="note")
        def note(event, envelope):
            if event.number in poison:
                raise ValueError(event.number)
            Group.objects.create(name=f"{event.thing}{event.number}#{envelope.sequence}")

        return poison


def numbers_of(thing: str) -> list[int]:
    return [int(name[1:].partition("#")[0]) for name in effects(thing)]


class LoopSuite(WithStage):
    """From `publish()` to the effect, with real loops."""

    def test_every_event_has_its_effect_once_and_in_order(self, stage, poison):
        with stage.running():
            make(*range(20))
            stage.eventually(lambda: len(effects()) == 100, seconds=60)
        for thing in SUBJECTS:
            assert numbers_of(thing) == list(range(20))

    def test_what_the_bus_has_twice_has_its_effect_once(self, stage, poison):
        make(0, things="a")
        row = OutboxRow.objects.get()
        twice = Row(row.id, str(row.event_id), row.type, row.subject, row.envelope, 0).message()
        with stage.running("consumers"):
            publisher().publish([twice])
            publisher().publish([twice])
            make(1, things="a")
            stage.relay()
            stage.eventually(lambda: numbers_of("a")[-1:] == [1], seconds=60)
        assert numbers_of("a") == [0, 1]

    def test_a_poisoned_event_dies_alone_and_is_applied_once_when_it_is_cured(self, stage, poison):
        poison.add(3)
        with stage.running():
            make(*range(6))
            stage.eventually(lambda: len(effects()) == 25 and dead_letters.count() == 5, seconds=60)
            assert numbers_of("a") == [0, 1, 2, 4, 5]
            poison.clear()
            dead_letters.replay([letter.id for letter in dead_letters.listed()])
            stage.eventually(lambda: len(effects()) == 30, seconds=60)
        assert sorted(numbers_of("a")) == list(range(6))

    def test_what_is_published_while_nothing_runs_is_applied_afterwards_and_what_was_applied_is_not(
        self, stage, poison
    ):
        for round_ in range(3):
            make(round_)
            with stage.running():
                stage.eventually(lambda wanted=5 * (round_ + 1): len(effects()) == wanted, seconds=60)
        for thing in SUBJECTS:
            assert numbers_of(thing) == [0, 1, 2]


class ReplaySuite(WithStage):
    """For a bus that keeps history, or has an event store."""

    def test_a_new_consumer_gets_all_of_it_and_the_old_one_nothing_again(self, stage, poison):
        with stage.running():
            make(*range(4))
            stage.eventually(lambda: len(effects()) == 20, seconds=60)
        new: list[str] = []

        @consumer(ThingMade, name="new")
        def note_too(event, envelope):
            new.append(f"{event.thing}{event.number}")

        replaying.begin(["new"])
        assert replaying.run().read == 20
        for thing in SUBJECTS:
            assert [each for each in new if each[0] == thing] == [f"{thing}{number}" for number in range(4)]
        assert len(effects()) == 20
