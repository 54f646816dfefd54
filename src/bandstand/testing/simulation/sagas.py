"""The sagas that the library itself is simulated with: an order, and one that uses every construct.

Their functions are never called: a simulation knows of a step only what is declared about it.
"""

from datetime import timedelta
from typing import Any

from bandstand.sagas.definition import Saga
from bandstand.sagas.steps import (
    Approval,
    ChildSaga,
    Each,
    Found,
    Parallel,
    Retry,
    SagaCommand,
    SagaStep,
    StepCall,
    StepKind,
    Timer,
    WaitFor,
)

__all__ = ["Everything", "Order", "Part"]


def _call(_: StepCall) -> None:
    raise NotImplementedError("a simulation calls nobody")


def _query(_: StepCall) -> Found:
    raise NotImplementedError("a simulation calls nobody")


def _context(_: Any) -> Any:
    raise NotImplementedError("a simulation has no contexts")


class Order(Saga):
    """Validate, reserve, capture, commit, confirm."""

    deadline = timedelta(seconds=120)
    steps = [
        SagaStep("validate", do=_call, no_undo="reads only"),
        SagaStep("reserve", do=_call, undo=_call, renew_every=timedelta(seconds=20)),
        SagaStep("capture", kind=StepKind.PIVOT, do=_call, undo=_call),
        SagaStep("commit", kind=StepKind.RETRIABLE, do=_call),
        SagaStep("confirm", kind=StepKind.RETRIABLE, local=True, do=_call),
    ]


class Part(Saga):
    """The child: nothing of its own can stop it for good."""

    deadline = None
    steps = [
        SagaStep("sign", do=_call, undo=_call),
        SagaStep("file", local=True, do=_call, undo=_call),
    ]


class Everything(Saga):
    """Each construct once, most of them within a group."""

    deadline = timedelta(hours=1)
    steps = [
        Parallel(
            "bookings",
            [SagaStep("flight", do=_call, undo=_call), SagaStep("seat", do=_call, undo=_call, when=_context)],
            SagaCommand("car", send=_call, reply=object, reply_key=_context, recall=_call, recalled=object),
        ),
        Each("hotels", SagaStep("room", do=_call, undo=_call, retry=Retry(attempts=4)), over=_context),
        ChildSaga("insure", saga=Part, begin=_call, when=_context, timeout=timedelta(minutes=20)),
        SagaStep(
            "deposit",
            do=_call,
            undo=_call,
            timeout=None,
            query=_query,
            settle_after=timedelta(seconds=40),
            horizon=timedelta(minutes=5),
        ),
        WaitFor("luggage", event=object, key=_context, timeout=timedelta(minutes=5), optional=True),
        Approval("manager", timeout=timedelta(minutes=30)),
        Timer("cool_off", until=timedelta(seconds=30)),
        SagaStep("pay", kind=StepKind.PIVOT, do=_call, undo=_call),
        Parallel(
            "papers",
            SagaStep("invoice", kind=StepKind.RETRIABLE, do=_call),
            [
                Timer("rest", until=timedelta(minutes=2)),
                SagaStep("archive", kind=StepKind.RETRIABLE, local=True, do=_call),
            ],
        ),
        Each("mails", SagaStep("mail", kind=StepKind.RETRIABLE, do=_call), over=_context, one_by_one=True),
    ]
