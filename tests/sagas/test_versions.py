"""Sagas under way while a release changes their definition, or takes it away."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from bandstand.events import Event, publish
from bandstand.sagas import Limit, Saga, SagaExecution, SagaStep, StepCall, StepKind, WaitFor, host, registry, starting
from bandstand.sagas.models import SagaSignal
from bandstand.sagas.signals import SignalName, send
from tests.sagas.stage import Stage

_done: list[str] = []


def note(call: StepCall) -> None:
    _done.append(call.key.partition(":")[2])


def wait(_: StepCall) -> None:
    raise ConnectionError("not now")


class _Parcel(Saga):
    """What all versions have in common."""

    name = ""

    def begin(self, event: str) -> tuple[str, dict[str, Any]]:
        return event, {"parcel": event}


class First(_Parcel):
    version = 1
    steps = [SagaStep("pack", do=note, undo=note), SagaStep("ship", do=wait, undo=note, timeout=timedelta(days=1))]


class Second(_Parcel):
    version = 2
    steps = [
        SagaStep("weigh", do=note, undo=note),
        SagaStep("pack", do=note, undo=note),
        SagaStep("dispatch", do=note, undo=note, timeout=timedelta(days=1)),
        SagaStep("invoice", kind=StepKind.RETRIABLE, do=note),
    ]


class Upgrading(Second):
    upgrades = {1: lambda context: {**context, "invoiced": False}}
    renamed = {"ship": "dispatch"}


@pytest.fixture(autouse=True)
def releases(monkeypatch: pytest.MonkeyPatch) -> Iterator["Releases"]:
    _done.clear()
    yield Releases(registry.sagas._sagas)
    registry.sagas._sagas.pop("parcel", None)


class Releases:
    """What the running release declares of the saga `parcel`."""

    def __init__(self, declared: dict[str, dict[int, Saga]]) -> None:
        self._declared = declared

    def deploy(self, *sagas: type[Saga]) -> None:
        """Let exactly these versions be known from now on."""
        self._declared["parcel"] = {}
        for saga in sagas:
            found = saga()
            found.name = "parcel"  # type: ignore[misc]  # each release names its class so
            registry.sagas.add(found)


def under_way(stage: Stage, releases: Releases) -> UUID:
    """A saga of version 1 that has packed and cannot ship yet."""
    releases.deploy(First)
    saga_id = starting.start(registry.sagas.get("parcel") or First(), "a-parcel")
    assert saga_id is not None
    stage.drive()
    assert _done == ["pack"]
    return saga_id


def restart(stage: Stage) -> None:
    """The release is out: a new worker finds what the old one left behind."""
    stage.employ()
    stage.clock.advance(11)
    stage.drive()


def test_a_saga_keeps_the_version_under_which_it_began(stage: Stage, releases: Releases) -> None:
    saga_id = under_way(stage, releases)
    releases.deploy(First, Second)
    restart(stage)
    assert starting.start(registry.sagas.get("parcel") or Second(), "another") is not None
    stage.drive()
    assert _done == ["pack", "weigh", "pack", "dispatch", "invoice"]
    assert (stage.row(saga_id).version, stage.row(saga_id).step) == (1, "ship")


def test_an_upgrade_takes_a_saga_to_the_newest_version_once(stage: Stage, releases: Releases) -> None:
    saga_id = under_way(stage, releases)
    releases.deploy(Upgrading)
    restart(stage)
    row = stage.settle(saga_id)
    assert (row.version, row.status) == (2, "completed")
    assert row.context_data == {"parcel": "a-parcel", "invoiced": False}
    assert _done == ["pack", "ship", "invoice"]  # its key is that under which it may have happened already
    assert [one.note for one in SagaSignal.objects.all()] == ["upgraded from version 1 to 2"]


def test_a_version_that_nobody_knows_is_shown_as_parked_and_goes_on_when_it_is_known_again(
    stage: Stage, releases: Releases
) -> None:
    saga_id = under_way(stage, releases)
    releases.deploy(Second)
    restart(stage)
    assert stage.row(saga_id).status == "unknown"
    stage.clock.advance(61)
    stage.drive()
    row = stage.row(saga_id)
    assert row.status == "parked"
    assert "version 1" in row.error
    releases.deploy(Upgrading)
    assert stage.settle(saga_id).status == "completed"


def test_a_removed_saga_is_shown_as_parked(stage: Stage, releases: Releases) -> None:
    saga_id = under_way(stage, releases)
    releases.deploy()
    restart(stage)
    stage.clock.advance(61)
    stage.drive()
    assert stage.row(saga_id).status == "parked"


def test_a_saga_at_a_step_that_this_release_lacks_is_told_of_once(
    stage: Stage, releases: Releases, caplog: pytest.LogCaptureFixture
) -> None:
    class Shortened(First):
        steps = First.steps[:1]

    saga_id = under_way(stage, releases)
    releases.deploy(Shortened)
    for _ in range(3):
        restart(stage)
        stage.clock.advance(61)
        stage.drive()
    assert stage.row(saga_id).status == "parked"
    (told,) = [one for one in caplog.records if one.message == "saga.parked"]
    assert (told.__dict__["saga_id"], told.__dict__["step"]) == (str(saga_id), "ship")
    assert told.__dict__["error"] == "this release has no step 'ship'"


def test_an_old_worker_leaves_alone_what_a_new_one_has_begun(stage: Stage, releases: Releases) -> None:
    host.install_worker(None)
    releases.deploy(Second)
    saga_id = starting.start(registry.sagas.get("parcel") or Second(), "new")
    releases.deploy(First)
    assert saga_id is not None
    stage.clock.advance(1)
    stage.drive()
    row = stage.row(saga_id)
    assert (row.status, row.owner, _done) == ("running", None, [])


class Failing(Upgrading):
    upgrades = {1: lambda context: {"invoiced": context["paid"]}}


def test_a_context_that_cannot_be_upgraded_parks_the_saga(stage: Stage, releases: Releases) -> None:
    saga_id = under_way(stage, releases)
    releases.deploy(Failing)
    restart(stage)
    row = SagaExecution.objects.get(pk=saga_id)
    assert (row.status, row.owner, row.version) == ("parked", None, 1)
    assert "paid" in row.error
    releases.deploy(Upgrading)
    assert stage.settle(saga_id).status == "completed"


def test_a_saga_that_cannot_be_upgraded_is_told_of_once(
    stage: Stage, releases: Releases, caplog: pytest.LogCaptureFixture
) -> None:
    under_way(stage, releases)
    releases.deploy(Failing)
    for _ in range(3):
        restart(stage)
        stage.clock.advance(61)
        stage.drive()
    assert [one.message for one in caplog.records].count("saga.parked") == 1


def test_two_classes_cannot_be_the_same_version(releases: Releases) -> None:
    releases.deploy(First)
    other = type("Other", (_Parcel,), {"version": 1})()
    other.name = "parcel"
    with pytest.raises(ValueError, match="version 1"):
        registry.sagas.add(other)


def test_a_renamed_step_keeps_its_key_and_is_undone_by_it(stage: Stage, releases: Releases) -> None:
    keys: list[str] = []

    class Before(_Parcel):
        steps = [
            SagaStep("pack", do=lambda call: keys.append(call.key), undo=lambda call: keys.append(call.key)),
            SagaStep("ship", do=wait, undo=note, timeout=timedelta(days=1)),
        ]

    class After(_Parcel):
        version = 2
        steps = [SagaStep("wrap", do=wait, undo=lambda call: keys.append(call.key)), Before.steps[1]]
        upgrades = {1: lambda context: context}
        renamed = {"pack": "wrap"}

    releases.deploy(Before)
    saga_id = starting.start(registry.sagas.get("parcel") or Before(), "a-parcel")
    assert saga_id is not None
    stage.drive()
    releases.deploy(After)
    restart(stage)
    send(saga_id, SignalName.CANCEL)
    assert stage.settle(saga_id).status == "cancelled"
    assert keys == [f"{saga_id}:pack"] * 2


class BellRung(Event, name="project.version_bell_rung.v1", subject="parcel"):
    parcel: str


class Listening(_Parcel):
    version = 1
    deadline = None
    steps = [WaitFor("bell", event=BellRung, key=lambda event: event.parcel), SagaStep("ship", do=note, no_undo="gone")]


class ListeningAgain(Listening):
    version = 2
    steps = [WaitFor("ring", event=BellRung, key=lambda event: event.parcel), Listening.steps[1]]
    upgrades = {1: lambda context: context}
    renamed = {"bell": "ring"}


def test_a_saga_that_waits_hears_by_the_release_that_it_will_be_upgraded_by(stage: Stage, releases: Releases) -> None:
    releases.deploy(Listening)
    saga_id = starting.start(registry.sagas.get("parcel") or Listening(), "a-parcel")
    assert saga_id is not None
    stage.drive()
    releases.deploy(ListeningAgain)
    restart(stage)
    assert stage.row(saga_id).version == 1
    with transaction.atomic():
        publish(BellRung(parcel="a-parcel"))
    row = stage.settle(saga_id, seconds=60)
    assert (row.status, row.version) == ("completed", 2)


def test_a_look_for_sagas_costs_the_same_however_many_are_declared(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry.sagas, "_sagas", {})
    declare(1)
    before = looked(stage)
    declare(40)
    assert looked(stage) == before


def declare(number: int) -> None:
    """So many sagas, of which only some may run at a time."""
    for one in range(number):
        saga = First()
        saga.name, saga.limit = f"parcel_{one}", Limit(live=2)  # type: ignore[misc]
        registry.sagas.add(saga)


def looked(stage: Stage) -> list[int]:
    """How many conditions each query has of a worker that looks around and finds nothing."""
    stage.clock.advance(30)
    with CaptureQueriesContext(connection) as queries:
        stage.employ().turn()
    return [one["sql"].count('"type"') for one in queries]
