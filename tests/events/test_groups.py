"""Groups of consumers: each reads on its own, and a consumer that gets one loses nothing and repeats nothing."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction

from bandstand import clock
from bandstand.errors import Conflict, NotFound
from bandstand.events import Event, checks, consumer, dead_letters, groups, pausing, publish, registry, replaying
from bandstand.events.inbox import Inbox
from bandstand.events.loops import consumer_loops
from bandstand.events.models import InboxRow, WaitingRow
from bandstand.events.retention import purge_inbox
from bandstand.lifecycle import registered_loops
from bandstand.service.management.commands.worker import Command

ONCE = pytest.mark.parametrize("stage", [{"ATTEMPTS": 1}], indirect=True)


@pytest.fixture(autouse=True)
def _no_consumers(_own_registry):
    registry._consumers.clear()


class Made(Event, name="project.made.v1", subject="thing"):
    """A thing exists."""

    thing: str
    number: int


def consuming(name, into, *, group="", refusing=(), reset=None):
    def handle(event, envelope):
        if event.number in refusing:
            raise ValueError(event.number)
        into.append(event.number)

    handle.__qualname__ = handle.__name__ = name
    consumer(Made, name=name, group=group, reset=reset)(handle)


def announce(*numbers, thing="a"):
    with transaction.atomic():
        for number in numbers:
            publish(Made(thing=thing, number=number))


def moved(stage, group, turns=3):
    """Turn the loop of one group, with no other reading meanwhile."""
    stage.restart()
    stage.consume(turns, group=group)
    stage._loop._leave()


def lag_of(stage):
    return {report.name: report.lag for report in stage.bus.groups()}


def test_each_group_reads_on_its_own(stage):
    mails, books = [], []
    consuming("mail", mails, group="mails")
    consuming("book", books)
    announce(1, 2)
    stage.relay()
    moved(stage, "mails")
    assert (mails, books) == ([1, 2], [])
    assert lag_of(stage) == {"project": 2, "project.mails": 0}
    moved(stage, "project")
    assert (mails, books) == ([1, 2], [1, 2])


def test_a_group_that_nobody_runs_holds_up_no_other(stage):
    books = []
    consuming("mail", [], group="mails")
    consuming("book", books)
    with stage.running("relay", "consumers"):
        announce(1, 2, 3)
        stage.eventually(lambda: books == [1, 2, 3])
    assert lag_of(stage) == {"project": 0, "project.mails": 3}


def test_every_group_has_a_loop_of_its_own_that_really_runs(stage):
    mails, books = [], []
    consuming("mail", mails, group="mails")
    consuming("book", books)
    loops = [name for name in registered_loops() if name.startswith("consumers")]
    assert loops == ["consumers", "consumers.mails"]
    with stage.running("relay", *loops):
        announce(1, 2, 3)
        stage.eventually(lambda: mails == books == [1, 2, 3])


def test_a_consumer_that_gets_a_group_loses_nothing_and_repeats_nothing(stage):
    got = []
    consuming("mail", got)
    announce(1, 2)
    stage.carry()
    stage._loop._subscription.flush()
    announce(3, 4)  # on the bus, and not yet read
    stage.relay()
    registry._consumers.clear()
    consuming("other", [])
    consuming("mail", got, group="mails")
    moved(stage, "project")  # the service's own may come first, and has nothing for it any more
    assert got == [1, 2]
    moved(stage, "mails")
    assert got == [1, 2, 3, 4]
    assert InboxRow.objects.filter(consumer="project.mail").count() == 4


@pytest.mark.parametrize("stage", [{"FROM_BEGINNING": False}], indirect=True)
def test_so_it_is_where_new_groups_begin_at_the_end(stage):
    got, fresh = [], []
    consuming("mail", got)
    stage.consume()
    announce(1)
    stage.carry()
    announce(2)
    stage.relay()
    registry._consumers.clear()
    consuming("mail", got, group="mails")
    consuming("new", fresh, group="news")
    moved(stage, "mails")
    moved(stage, "news")
    assert (got, fresh) == ([1, 2], [])


def test_what_lies_in_the_queue_of_the_group_it_left_is_no_dead_letter(stage):
    """As on a broker whose queues keep what was routed to them before."""
    got = []
    consuming("mail", got, group="mails")
    announce(1)
    stage.relay()
    stage.bus.register("project", [Made.event_name], from_beginning=True)
    deliveries = stage.bus.subscribe("project").fetch(10)
    assert not Inbox((), stage.config, group="project").apply(deliveries)
    assert (dead_letters.count(), InboxRow.objects.count()) == (0, 0)
    moved(stage, "mails")
    assert got == [1]


def test_a_consumer_that_joins_a_group_under_way_is_named_with_what_to_do(stage, caplog):
    got = []
    consuming("mail", got)
    announce(1)
    stage.carry()
    registry._consumers.clear()
    consuming("mail", got, group="mails")
    moved(stage, "mails")
    stage.bus.register("project", ["project.other.v1"], from_beginning=True)  # what its other consumers read
    assert "consumers.joined" not in caplog.messages, "a new group has the history"
    registry._consumers.clear()
    consuming("mail", got)
    moved(stage, "project")
    (told,) = [record for record in caplog.records if record.message == "consumers.joined"]
    assert (told.group, told.consumers) == ("project", ["project.mail"])
    moved(stage, "project")
    assert caplog.messages.count("consumers.joined") == 1
    replaying.begin(["mail"])
    replaying.run()
    assert got == [1]


@ONCE
def test_what_waits_goes_along_into_the_group(stage):
    got = []
    consuming("mail", got)
    pausing.pause("mail")
    announce(1, 2)
    stage.carry()
    registry._consumers.clear()
    consuming("mail", got, group="mails")
    pausing.resume("mail")
    moved(stage, "project")
    assert got == [], "it is no longer the service's own group that answers for it"
    moved(stage, "mails")
    assert got == [1, 2]


def test_what_waits_for_code_that_is_gone_belongs_to_the_services_own_group(stage):
    consuming("mail", [], group="mails")
    consuming("book", [])
    consuming("gone", [])
    pausing.pause("gone")
    announce(1)
    stage.relay()
    moved(stage, "project")
    del registry._consumers["gone"]
    pausing.resume("project.gone")
    moved(stage, "mails")
    assert WaitingRow.objects.count() == 1
    moved(stage, "project")
    assert [letter.reason for letter in dead_letters.listed()] == [
        "there is no consumer project.gone of project.made.v1"
    ]


def test_a_group_forgets_only_what_its_own_consumers_applied(stage):
    consuming("mail", [], group="mails")
    consuming("book", [])
    announce(1)
    announce(2)
    stage.relay()
    moved(stage, "mails")
    moved(stage, "project")
    InboxRow.objects.update(applied_at=clock.now() - timedelta(days=8))
    assert purge_inbox(stage.config, groups.group_of("mails", groups.groups())) == 1
    kept = InboxRow.objects.order_by("consumer").values_list("consumer", flat=True)
    assert list(kept) == ["project.book", "project.book", "project.mail"], "the last one of a consumer stays"
    assert purge_inbox(stage.config, groups.default_group()) == 1


def test_a_replay_holds_only_the_group_of_its_consumers(stage):
    mails, books = [], []
    consuming("mail", mails, group="mails")
    consuming("book", books)
    announce(1)
    stage.relay()
    replaying.begin(["mail"])
    moved(stage, "mails")
    moved(stage, "project")
    assert (mails, books) == ([], [1])
    replaying.run()
    assert mails == [1]
    moved(stage, "mails")
    assert (mails, lag_of(stage)) == ([1], {"project": 0, "project.mails": 0})
    with pytest.raises(Conflict, match=r"several groups: project\.mails, project"):
        replaying.begin(["mail", "book"])


def test_a_group_is_paused_by_its_name(stage):
    mails, books = [], []
    consuming("mail", mails, group="mails")
    consuming("book", books)
    assert pausing.pause("mails")
    announce(1)
    stage.relay()
    moved(stage, "mails")
    moved(stage, "project")
    assert (mails, books, pausing.paused()) == ([], [1], {"project.mails"})
    pausing.resume("project.mails")
    moved(stage, "mails")
    assert mails == [1]


def test_lag_counts_by_group(stage):
    consuming("mail", [], group="mails", refusing=[1])
    consuming("book", [])
    announce(1)
    stage.relay()
    moved(stage, "mails")
    moved(stage, "project")
    out = StringIO()
    call_command("events", "lag", "--json", stdout=out)
    found = {each["group"]: each["waiting"] for each in json.loads(out.getvalue())}
    assert found == {"project": 0, "project.mails": 1}


def test_a_worker_runs_the_groups_that_are_named(stage):
    consuming("mail", [], group="mails")
    consuming("tell", [], group="news")
    consuming("book", [])
    assert consumer_loops(["mails", "project.tell"]) == ["consumers.mails", "consumers.news"]
    assert consumer_loops(["book"]) == consumer_loops(["project"]) == ["consumers"]
    assert consumer_loops(["all"]) == ["consumers", "consumers.mails", "consumers.news"]
    with pytest.raises(NotFound, match=r"the groups are: project, project\.mails, project\.news"):
        consumer_loops(["mail", "nobody"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--consumers", "nobody"], "there is no consumer or group 'nobody'"),
        (["--loops", "nobody"], "unknown loops: nobody"),
        (["--loops", "relay", "--consumers", "all"], "not allowed with argument"),
    ],
)
def test_a_worker_refuses_what_it_cannot_run(stage, words, said):
    with pytest.raises(CommandError, match=said):
        call_command(Command(), *words)


@pytest.mark.parametrize("name", ["Mails", "a.b", "replay", "-"])
def test_a_name_that_the_bus_or_a_replay_could_not_tell_apart_is_refused(name):
    with pytest.raises(ValueError, match="is no name of a group"):
        consuming("mail", [], group=name)


def test_checks_find_ambiguous_names_and_torn_read_models(settings):
    reset = [].clear
    consuming("mails", [], reset=reset)
    consuming("tell", [], reset=reset, group="mails")
    found = {each.id for each in checks.check_events()}
    assert {"bandstand.E207", "bandstand.E208"} <= found
    assert "bandstand.W209" not in found
    events = {"BUS_RETENTION": timedelta(days=30)}
    settings.BANDSTAND = {**settings.BANDSTAND, "EVENTS": events}
    assert "bandstand.W209" in {each.id for each in checks.check_events()}


@pytest.mark.sqlite(reason="PostgreSQL has as many lanes as it is given")
@pytest.mark.parametrize("stage", [{"CONSUMER_CONCURRENCY": 4}], indirect=True)
def test_sqlite_has_one_writer_and_so_one_lane(stage):
    assert groups.default_group().lanes(stage.config) == 1
