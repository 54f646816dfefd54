"""Looking after replicas: counting them for the metrics, and forgetting tombstones that have served."""

import threading
from datetime import timedelta

from django.db.models import Count, Exists, Max, OuterRef, Q

from bandstand import clock
from bandstand.config import section
from bandstand.events.config import EventsConfig
from bandstand.events.models import DeadLetter, WaitingRow
from bandstand.lifecycle import Loop
from bandstand.observability.metrics import gauge
from bandstand.replicas.config import ReplicasConfig
from bandstand.replicas.consuming import replicas
from bandstand.replicas.models import Mark

__all__ = ["UpkeepLoop", "measure", "purge_tombstones"]

_AT_ONCE = 500
_EVERY = timedelta(seconds=30)

_rows = gauge("replica_rows", "Rows of a replica.", ("replica",), across_processes="livemax")
_age = gauge(
    "replica_applied_age_seconds", "How long ago a replica last changed.", ("replica",), across_processes="livemin"
)


class UpkeepLoop(Loop):
    """Measure and purge every so often."""

    name = "replicas"

    def run(self, stop: threading.Event) -> None:
        """Work until *stop*; a batch of tombstones is the unit of work."""
        while not stop.wait(_EVERY.total_seconds()):
            with self.iteration():
                measure()
                while purge_tombstones() == _AT_ONCE and not stop.is_set():
                    self.beat()


def measure() -> None:
    """Set the gauges of every replica."""
    using = section(EventsConfig).database
    now = clock.database_now(using)
    for each in replicas():
        found = Mark.objects.using(using).filter(replica=each.name)
        counted = found.aggregate(rows=Count("key", filter=Q(removed_at__isnull=True)), last=Max("applied_at"))
        _rows.labels(each.name).set(counted["rows"])
        if counted["last"]:
            _age.labels(each.name).set(max(0.0, (now - counted["last"]).total_seconds()))


def purge_tombstones() -> int:
    """Forget tombstones older than the retention, at most a batch, and return how many.

    A key whose events wait or are dead letters keeps its tombstone: they may still be applied, however late.
    """
    using = section(EventsConfig).database
    before = clock.database_now(using) - section(ReplicasConfig).tombstone_retention
    waits = Exists(WaitingRow.objects.filter(subject=OuterRef("key")))
    is_dead = Exists(DeadLetter.objects.filter(subject=OuterRef("key"), state=DeadLetter.State.DEAD))
    old = Mark.objects.using(using).filter(~waits, ~is_dead, removed_at__lt=before)
    keys = list(old.values_list("pk", flat=True)[:_AT_ONCE])
    if keys:
        Mark.objects.using(using).filter(pk__in=keys, removed_at__lt=before).delete()
    return len(keys)
