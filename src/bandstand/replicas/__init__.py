"""Replicas: local, read-only copies of what other services own, each in one declaration, kept by their events."""

from typing import TYPE_CHECKING, Any

from bandstand.replicas.backfilling import backfills
from bandstand.replicas.caching import cached, invalidated_by
from bandstand.replicas.readonly import ReplicaIsReadOnly

if TYPE_CHECKING:
    from bandstand.replicas.applying import fill
    from bandstand.replicas.models import Replica

__all__ = ["Replica", "ReplicaIsReadOnly", "backfills", "cached", "fill", "invalidated_by"]


def __getattr__(name: str) -> Any:
    """Load what needs the app registry when it is first asked for."""
    if name == "Replica":
        from bandstand.replicas.models import Replica  # noqa: PLC0415 - models exist later than this package

        return Replica
    if name == "fill":
        from bandstand.replicas.applying import fill  # noqa: PLC0415 - as above

        return fill
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
