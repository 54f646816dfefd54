"""The metrics of events: how far behind the relay and the consumers are, what fails, and what needs a person."""

from datetime import timedelta

from bandstand import clock
from bandstand.events._sql import Sql, as_time
from bandstand.events.backends import Bus
from bandstand.events.config import EventsConfig
from bandstand.observability.metrics import counter, gauge

__all__ = ["ConsumerGauges", "RelayGauges", "dead_lettered", "relayed", "retried"]

_EVERY = timedelta(seconds=2)

# Counting a backlog of millions every two seconds would slow down who works it off. What lies beyond the rows counted
# here is taken from the ids, so gaps in them count too: it is the most there can be.
_EXACT = 10_000
_FIRST = "SELECT count(*), max(id) FROM (SELECT id FROM {} ORDER BY id LIMIT %s) AS first"
_HIGHEST = "SELECT max(id) FROM {}"
_PENDING = "bandstand_events_outbox WHERE dead_at IS NULL"
_OLDEST = "SELECT created_at FROM bandstand_events_outbox WHERE dead_at IS NULL ORDER BY id LIMIT 1"
# By the partial index on attempts: whatever is dead has been refused before.
_REFUSED = "SELECT count(*) FROM bandstand_events_outbox WHERE attempts > 0 AND dead_at IS NOT NULL"

relayed = counter("events_relayed_total", "Events handed to the bus: accepted, refused, or given up.", ("outcome",))
retried = counter("events_retried_total", "Further attempts at events that had failed.", ("consumer",))
dead_lettered = counter("events_dead_lettered_total", "Events that a consumer gave up on.", ("consumer",))

_pending = gauge(
    "outbox_pending", "Events the bus has not accepted, beyond 10,000 at most.", across_processes="livemax"
)
_oldest = gauge("outbox_oldest_age_seconds", "How long the oldest of them waits.", across_processes="livemax")
_outbox_dead = gauge("outbox_dead", "Events the bus refused for good.", across_processes="livemax")
_lag = gauge("consumer_lag", "Events a group has not acknowledged.", ("group",), across_processes="livemax")
_waiting = gauge(
    "events_waiting", "Events that wait for a retry, theirs or an earlier one's.", across_processes="livemax"
)
_paused = gauge("consumers_paused", "Consumers and groups that somebody paused.", across_processes="livemax")
_dead = gauge("dead_letters", "Dead letters nobody has dealt with.", across_processes="livemax")


class _Every:
    def __init__(self) -> None:
        self._due = 0.0

    def is_due(self) -> bool:
        now = clock.monotonic()
        if now < self._due:
            return False
        self._due = now + _EVERY.total_seconds()
        return True


class RelayGauges:
    """Measures the outbox every few seconds."""

    def __init__(self, config: EventsConfig) -> None:
        self._config = config
        self._pace = _Every()

    def measure(self) -> None:
        """Measure if it is time."""
        if not self._pace.is_due():
            return
        sql = Sql(self._config.database)
        _pending.set(_number(sql, _PENDING))
        ((dead,),) = sql.rows(_REFUSED)
        _outbox_dead.set(dead)
        oldest = sql.rows(_OLDEST)
        age = clock.database_now(self._config.database) - as_time(oldest[0][0]) if oldest else timedelta(0)
        _oldest.set(max(0.0, age.total_seconds()))


class ConsumerGauges:
    """Measures lag, retries and dead letters every few seconds."""

    def __init__(self, bus: Bus, group: str, config: EventsConfig) -> None:
        self._bus = bus
        self._group = group
        self._config = config
        self._pace = _Every()

    def measure(self) -> None:
        """Measure if it is time."""
        if not self._pace.is_due():
            return
        sql = Sql(self._config.database)
        ((dead, paused),) = sql.rows(
            "SELECT (SELECT count(*) FROM bandstand_events_dead_letter WHERE state = 'dead'),"
            " (SELECT count(*) FROM bandstand_events_pause)"
        )
        _waiting.set(_number(sql, "bandstand_events_waiting"))
        _dead.set(dead)
        _paused.set(paused)
        for report in self._bus.groups():
            if report.name == self._group:
                _lag.labels(self._group).set(report.lag)


def _number(sql: Sql, rows: str) -> int:
    """How many of *rows* there are: exactly up to 10,000, the most there can be beyond."""
    ((number, last),) = sql.rows(_FIRST.format(rows), (_EXACT + 1,))
    if number <= _EXACT:
        return int(number)
    ((highest,),) = sql.rows(_HIGHEST.format(rows.partition(" ")[0]))
    return int(number + max(0, (highest or last) - last))  # the relay may have moved them meanwhile
