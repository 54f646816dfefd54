"""The settings of the saga worker: `BANDSTAND["SAGAS"]`."""

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

__all__ = ["SagasConfig"]


@dataclass(frozen=True, kw_only=True)
class SagasConfig:
    """How this process runs sagas.

    `lease`: how long a saga stays with a worker that is not heard of. `call_threads`: remote calls at a time.
    `max_live`: sagas in memory; more wait in the table. `look_every`: the longest pause between two looks for sagas
    whose worker died or that were started by a process without a worker. `drain`: how long a stopping worker waits
    for the calls under way.
    """

    section: ClassVar[str] = "SAGAS"

    lease: timedelta = timedelta(seconds=10)
    call_threads: int = 8
    max_live: int = 500
    look_every: timedelta = timedelta(seconds=1)
    drain: timedelta = timedelta(seconds=20)
