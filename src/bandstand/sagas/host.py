"""The saga worker of this process, for the code that runs beside it."""

from datetime import timedelta
from typing import Protocol
from uuid import UUID

from bandstand.sagas.protocol import Call
from bandstand.sagas.runs import Run

__all__ = ["SagaWorker", "install_worker", "worker"]


class SagaWorker(Protocol):
    """What a worker offers to the code that runs beside it in the same process."""

    owner: UUID
    lease: timedelta

    def accepts(self) -> bool:
        """Whether a saga may be born leased to this worker."""

    def adopt(self, run: Run, calls: list[Call]) -> None:
        """Take over a saga whose birth is committed, and make its first calls."""

    def notice(self, saga_id: UUID) -> None:
        """Look at a saga to which something was said."""


_worker: SagaWorker | None = None


def install_worker(found: SagaWorker | None) -> SagaWorker | None:
    """Make *found* the worker of this process (None: it has none) and return the one it replaces."""
    global _worker
    previous, _worker = _worker, found
    return previous


def worker() -> SagaWorker | None:
    """The worker of this process, if it runs one."""
    return _worker
