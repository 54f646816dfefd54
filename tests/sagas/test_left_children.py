"""A child of which its parent lets go without undoing it."""

from datetime import timedelta

from bandstand.events import Event
from bandstand.sagas import ChildSaga, Saga, SagaExecution, SagaStep, StepCall, StepKind, WaitFor, starting
from bandstand.sagas.models import SagaSignal
from bandstand.sagas.signals import SignalName, send
from tests.sagas.stage import Stage


class TripDeparted(Event, name="project.trip_departed.v1", subject="trip"):
    trip: str


def _do(_: StepCall) -> None:
    return None


class Cover(Saga):
    name = "left_cover"
    deadline = None
    steps = [SagaStep("sign", do=_do, undo=_do)]

    def begin(self, event: str) -> tuple[str, dict[str, str]]:
        return event, {}


class Trip(Saga):
    name = "left_trip"
    deadline = timedelta(days=1)
    steps = [
        ChildSaga("cover", saga=Cover, begin=lambda _: "cover"),
        WaitFor("departure", event=TripDeparted, key=lambda event: event.trip),
        SagaStep("pay", kind=StepKind.PIVOT, do=_do, undo=_do),
    ]

    def begin(self, event: str) -> tuple[str, dict[str, str]]:
        return event, {}


def test_a_child_whose_undo_a_person_skips_ends_with_its_parent(stage: Stage) -> None:
    """It was ready, and nobody else would ever end it."""
    trip = starting.start(Trip, "trip")
    assert trip is not None
    stage.drive()
    child = SagaExecution.objects.get(parent_id=trip)
    send(trip, SignalName.CANCEL)
    stage.worker.turn()
    SagaSignal.objects.filter(saga_id=child.pk, taken_at=None).delete()  # the wish to undo it never arrives
    send(trip, SignalName.SKIP, step="cover", note="we keep the cover")
    assert stage.settle(trip).status == "cancelled"
    assert stage.settle(child.pk).status == "completed"
