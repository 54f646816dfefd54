"""A replica shows the newest state it was told of, whatever order, however often, and nothing that was removed."""

import random
import threading
from datetime import timedelta
from itertools import permutations

import pytest
from django.db import connections, models, transaction

from bandstand import clock
from bandstand.config import section
from bandstand.events import Envelope
from bandstand.events.models import DeadLetter, WaitingRow
from bandstand.replicas import ReplicaIsReadOnly, fill
from bandstand.replicas.applying import keep, remove
from bandstand.replicas.config import ReplicasConfig
from bandstand.replicas.consuming import consumers_of, register
from bandstand.replicas.declaration import declaration
from bandstand.replicas.models import Mark
from bandstand.replicas.reading import event_class
from bandstand.replicas.upkeep import purge_tombstones
from bandstand.testing.events import deliver
from tests.replicas.world import City, Member, city_id, row, state, told


def shown(stage):
    return {city.name: city.population for city in City.objects.using(stage.config.database)}


def arrive(stage, *messages, one_by_one=False):
    """Let the bus bring these, together or each in a transaction of its own."""
    for batch in [[each] for each in messages] if one_by_one else [list(messages)]:
        stage.bus.publish(batch)
        stage.consume(3)


def test_a_row_is_what_its_newest_event_says(stage, cities):
    arrive(stage, told("founded", "a", 1, **state("Lutetia")), told("changed", "a", 2, **state("Paris", population=5)))
    city = City.objects.using(stage.config.database).get(pk=city_id("a"))
    assert (city.name, city.population, city.country, city.mayor) == ("Paris", 5, "FR", None)


def test_every_order_of_arrival_ends_in_the_same_row(stage, cities):
    facts = [("founded", 1, 10), ("changed", 2, 20), ("changed", 3, 30)]
    for number, order in enumerate(permutations(facts)):
        key = f"city-{number}"
        messages = [told(fact, key, sequence, **state(key, population=count)) for fact, sequence, count in order]
        arrive(stage, *messages, one_by_one=bool(number % 2))
    assert set(shown(stage).values()) == {30}
    assert len(shown(stage)) == 6


@pytest.mark.parametrize("one_by_one", [True, False])
def test_an_older_event_does_not_bring_back_what_was_removed(stage, cities, one_by_one):
    late = told("changed", "a", 2, **state("Paris"))
    arrive(stage, told("founded", "a", 1, **state("Lutetia")), told("razed", "a", 3), late, one_by_one=one_by_one)
    assert shown(stage) == {}
    assert Mark.objects.using(stage.config.database).get().removed_at is not None


def test_the_removal_of_a_row_that_never_was_is_remembered(stage, cities):
    arrive(stage, told("razed", "a", 3), told("founded", "a", 1, **state("Lutetia")), one_by_one=True)
    assert shown(stage) == {}


def test_a_newer_event_founds_a_removed_row_anew(stage, cities):
    arrive(stage, told("razed", "a", 3), told("founded", "a", 4, **state("Paris")), one_by_one=True)
    assert shown(stage) == {"Paris": 0}
    assert Mark.objects.using(stage.config.database).get().removed_at is None


def test_shuffled_histories_with_duplicates_converge(stage, cities):
    dice = random.Random(11)
    histories, expected = [], {}
    for number in range(20):
        key, end = f"city-{number}", dice.randint(1, 6)
        mine = [told("changed", key, sequence, **state(key, population=sequence)) for sequence in range(1, end)]
        is_gone = dice.random() < 0.4
        mine.append(told("razed", key, end) if is_gone else told("changed", key, end, **state(key, population=end)))
        expected |= {} if is_gone else {key: end}
        histories += mine + dice.choices(mine, k=2)
    dice.shuffle(histories)
    while histories:
        size = dice.randint(1, 9)
        arrive(stage, *histories[:size])
        histories = histories[size:]
    assert shown(stage) == expected


@pytest.mark.parametrize("settings_of_events", [{"ATTEMPTS": 1}], indirect=True)
def test_an_event_whose_subject_is_not_its_key_is_a_dead_letter_and_the_others_apply(stage, cities):
    odd = told("founded", "a", 1, **state("Paris"))
    odd = odd.__class__(
        event_id=odd.event_id, type=odd.type, subject="elsewhere", body=odd.body.replace(odd.subject, "elsewhere", 1)
    )
    arrive(stage, told("founded", "b", 1, **state("Nice")), odd)
    assert shown(stage) == {"Nice": 0}
    assert "carries the key" in DeadLetter.objects.using(stage.config.database).get().reason


def test_nobody_writes_a_replica_by_hand(stage, cities):
    arrive(stage, told("founded", "a", 1, **state("Paris")))
    rows = City.objects.using(stage.config.database)
    city = rows.get()
    for write in (
        city.save,
        city.delete,
        rows.all().delete,
        lambda: rows.update(name="Nice"),
        lambda: rows.create(name="Nice"),
        lambda: rows.bulk_create([city]),
        lambda: rows.get_or_create(name="Nice"),
        lambda: City.objects.update_or_create(name="Nice"),
    ):
        with pytest.raises(ReplicaIsReadOnly, match="service that owns it"):
            write()
    assert shown(stage) == {"Paris": 0}


def test_tombstones_go_after_the_retention_but_not_before_events_that_may_still_come(stage, cities):
    using = stage.config.database
    arrive(stage, told("razed", "a", 3), told("razed", "b", 3), told("founded", "c", 1, **state("Nice")))
    assert purge_tombstones() == 0
    long_ago = clock.database_now(using) - section(ReplicasConfig).tombstone_retention - timedelta(seconds=1)
    Mark.objects.using(using).update(applied_at=long_ago)
    Mark.objects.using(using).filter(removed_at__isnull=False).update(removed_at=long_ago)
    common = {"event_id": city_id("x"), "type": "atlas.city_changed.v1", "envelope": "{}"}
    WaitingRow.objects.using(using).create(
        consumer="project.city.city_changed.v1", subject=str(city_id("b")), next_at=clock.now(), **common
    )
    assert purge_tombstones() == 1
    assert {mark.key for mark in Mark.objects.using(using)} == {str(city_id("b")), str(city_id("c"))}


def test_what_the_owner_shows_fills_gaps_and_events_win(stage, cities):
    using = stage.config.database
    arrive(stage, told("changed", "a", 2, **state("Paris")), told("razed", "b", 3), one_by_one=True)
    with transaction.atomic(using=using):
        written = fill([row("a", "Lutetia"), row("b", "Gone"), row("c", "Nice")])
    assert (written, shown(stage)) == (1, {"Paris": 0, "Nice": 0})
    arrive(stage, told("changed", "c", 1, **state("Nizza")))
    assert shown(stage) == {"Paris": 0, "Nizza": 0}, "any event is newer than what was shown"


def test_rows_are_read_as_any(stage, cities):
    arrive(stage, *[told("founded", key, 1, **state(key, population=len(key))) for key in ("a", "bb", "ccc")])
    rows = City.objects.using(stage.config.database)
    assert rows.filter(population__gte=2).order_by("-name").first().name == "ccc"
    assert rows.aggregate(models.Sum("population"))["population__sum"] == 6


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_removal_waits_for_an_older_write_under_way_and_undoes_it(stage, cities):
    using = stage.config.database
    older, newer = told("founded", "a", 4, **state("Paris")), told("razed", "a", 5)

    def applied(message, apply):
        envelope = Envelope.decoded(message.body)
        apply(cities, [(event_class(cities, message.type).decoded(envelope.data), envelope)])

    def remove_beside():
        try:
            with transaction.atomic(using=using):
                applied(newer, remove)
        finally:
            connections[using].close()

    removing = threading.Thread(target=remove_beside)
    with transaction.atomic(using=using):
        applied(older, keep)
        removing.start()
        with connections[using].cursor() as cursor:

            def is_waiting():
                cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
                return cursor.fetchone()[0]

            stage.eventually(is_waiting, seconds=30)
    removing.join(30)
    assert shown(stage) == {}


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_an_event_may_mean_what_it_does_not_say_and_read_in_a_group_of_its_own(stage):
    register(declaration(Member))
    for sequence, (fact, is_active) in enumerate([("joined", True), ("barred", False), ("joined", True)], 1):
        deliver(f"club.member_{fact}.v1", {"member_id": "ann", "email": "a@b.c"}, subject="ann", sequence=sequence)
        assert Member.objects.get().is_active is is_active
    assert {each.group_name for each in consumers_of(declaration(Member))} == {"project.members"}
    joined = event_class(declaration(Member), "club.member_joined.v1")
    assert set(joined.__dataclass_fields__) == {"member_id", "email"}
