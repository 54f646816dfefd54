"""Durable sagas: declared as steps, decided by a pure engine, run by a leased and fenced worker."""

from typing import TYPE_CHECKING, Any

from bandstand.sagas.contexts import ContextMismatch, ContextSealed, ContextUnreadable, Sensitive
from bandstand.sagas.definition import Saga
from bandstand.sagas.limits import Limit, Priority, Rate
from bandstand.sagas.protocol import SagaStatus
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
    StepRefused,
    Timer,
    WaitFor,
)

if TYPE_CHECKING:
    from bandstand.sagas.models import SagaExecution, SagaStepLog
    from bandstand.sagas.operations import approve, reject, request_cancel
    from bandstand.sagas.starting import start

__all__ = [
    "Approval",
    "ChildSaga",
    "ContextMismatch",
    "ContextSealed",
    "ContextUnreadable",
    "Each",
    "Found",
    "Limit",
    "Parallel",
    "Priority",
    "Rate",
    "Retry",
    "Saga",
    "SagaCommand",
    "SagaExecution",
    "SagaStatus",
    "SagaStep",
    "SagaStepLog",
    "Sensitive",
    "StepCall",
    "StepKind",
    "StepRefused",
    "Timer",
    "WaitFor",
    "approve",
    "reject",
    "request_cancel",
    "start",
]

# What needs Django's models is looked up on first use: an application's package is imported before they are ready.
_LATER = {
    "SagaExecution": "bandstand.sagas.models",
    "SagaStepLog": "bandstand.sagas.models",
    "approve": "bandstand.sagas.operations",
    "reject": "bandstand.sagas.operations",
    "request_cancel": "bandstand.sagas.operations",
    "start": "bandstand.sagas.starting",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module  # noqa: PLC0415 - only for the names above

    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
