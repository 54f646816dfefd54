"""The settings of the saga worker: `BANDSTAND["SAGAS"]`."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import ClassVar

from bandstand.config import Secret

__all__ = ["SagasConfig"]


@dataclass(frozen=True, kw_only=True)
class SagasConfig:
    """How this process runs sagas.

    `lease`: how long a saga stays with a worker that is not heard of. `call_threads`: remote calls at a time,
    those of one step a third of them at most. `max_live`: sagas in memory; more wait in the table. `look_every`: the
    longest pause between two looks for sagas whose worker died or that no worker was told of. `drain`: how long a
    stopping worker waits for the calls under way. `reconcile_every`: how often participants' listings are compared with
    the history, over the last `reconcile_span`. `context_keys`: Fernet keys for the sensitive fields of contexts,
    separated by commas; the first writes, all read. `four_eyes`: the actions that a second person must confirm; with
    `_undo` behind the name only on the way back. `retention`: how long ended sagas are kept; None keeps them until
    `sagas purge`.
    """

    section: ClassVar[str] = "SAGAS"

    lease: timedelta = timedelta(seconds=10)
    call_threads: int = 12
    max_live: int = 500
    look_every: timedelta = timedelta(seconds=1)
    drain: timedelta = timedelta(seconds=20)
    reconcile_every: timedelta = timedelta(minutes=15)
    reconcile_span: timedelta = timedelta(days=2)
    four_eyes: tuple[str, ...] = ("resolve", "skip_undo")
    retention: timedelta | None = None
    context_keys: Secret | str = field(default="", repr=False)

    @property
    def sealing_keys(self) -> tuple[str, ...]:
        """The keys themselves: hand them straight to what encrypts."""
        text = self.context_keys.reveal() if isinstance(self.context_keys, Secret) else self.context_keys
        return tuple(key.strip() for key in text.split(",") if key.strip())
