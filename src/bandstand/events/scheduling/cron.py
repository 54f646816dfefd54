"""Regular moments: a function called exactly once for each, in one transaction with the note that it was.

What the function publishes or enqueues is therefore there exactly once as well, however many processes look.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim
from django.db import transaction

from bandstand import clock, context
from bandstand.events._sql import Sql, as_time
from bandstand.events.config import EventsConfig
from bandstand.events.retrying import pause_after
from bandstand.observability.metrics import counter

__all__ = ["Schedule", "Timetable", "every", "schedules"]

log = logging.getLogger(__name__)

Function = Callable[[datetime], None]
_runs = counter("schedule_runs_total", "Moments of schedules, by outcome.", ("schedule", "outcome"))
_ENTER = """
    INSERT INTO bandstand_events_schedule (name, rule, next_at) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING"""
_CHANGE = "UPDATE bandstand_events_schedule SET rule = %s, next_at = %s WHERE name = %s AND rule <> %s"
_NOTE = """
    UPDATE bandstand_events_schedule SET next_at = %s, last_at = %s WHERE name = %s AND rule = %s AND next_at = %s"""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """What is done at which moments."""

    name: str
    cron: str
    zone: ZoneInfo
    function: Function

    @property
    def rule(self) -> str:
        """What the moments follow from: a changed rule starts anew."""
        return f"{self.cron} {self.zone.key}"

    def after(self, moment: datetime) -> datetime:
        """The first moment after *moment*."""
        return next(CronSim(self.cron, moment.astimezone(self.zone))).astimezone(UTC)

    def latest(self, moment: datetime) -> datetime:
        """The last moment up to and including *moment*."""
        just_after = (moment + timedelta(seconds=1)).astimezone(self.zone)  # a local time plus a second may be an hour
        return next(CronSim(self.cron, just_after, reverse=True)).astimezone(UTC)


_schedules: dict[str, Schedule] = {}


def every(*, cron: str, timezone: str, name: str | None = None) -> Callable[[Function], Function]:
    """Call the function at each moment of *cron* in *timezone* ("Europe/Berlin"), exactly once each, with that moment.

    It runs in the transaction that notes the moment: it may publish events and enqueue tasks, and nothing that leaves
    the database. When it raises, all of that is undone and tried again. Moments missed while nothing ran are made up
    for by one call, with the latest of them. The clock's changes are taken as Debian's cron does: a job of a skipped
    hour runs right after it, one of a repeated hour once. Raises CronSimError, ZoneInfoNotFoundError, and ValueError
    for a second schedule of that name.
    """
    zone = ZoneInfo(timezone)
    CronSim(cron, datetime(2026, 1, 1, tzinfo=zone))

    def declare(function: Function) -> Function:
        found = Schedule(
            name=name or f"{function.__module__}.{function.__qualname__}", cron=cron, zone=zone, function=function
        )
        known = _schedules.get(found.name, found).function
        if (known.__module__, known.__qualname__) != (function.__module__, function.__qualname__):
            raise ValueError(
                f"two schedules are called {found.name!r}, and one of them would never run: change a name="
            )
        _schedules[found.name] = found
        return function

    return declare


def schedules() -> list[Schedule]:
    """All schedules of this process, by name."""
    return [_schedules[name] for name in sorted(_schedules)]


class Timetable:
    """The declared schedules and their rows."""

    def __init__(self, config: EventsConfig) -> None:
        self._config = config
        self._using = config.database
        self._known: dict[str, Schedule] = {}
        self._failures: dict[str, int] = {}
        self._not_before: dict[str, datetime] = {}

    def run_due(self) -> datetime | None:
        """Call what is due; return when the next is."""
        if not schedules():
            return None
        self._enter_new()
        now = clock.database_now(self._using)
        moments = []
        for name, rule, moment in self._rows():
            schedule = self._known.get(name)
            if schedule is None or schedule.rule != rule:
                continue
            wanted = max(moment, self._not_before.get(name, moment))
            moments.append(wanted if wanted > now else self._come_to_pass(schedule, moment, now))
        return min(moments, default=None)

    def _enter_new(self) -> None:
        for schedule in schedules():
            if self._known.get(schedule.name) == schedule:
                continue
            sql = Sql(self._using)
            first = sql.time(schedule.after(clock.database_now(self._using)))
            with transaction.atomic(using=self._using):
                sql.change(_ENTER, (schedule.name, schedule.rule, first))
                sql.change(_CHANGE, (schedule.rule, first, schedule.name, schedule.rule))
            self._known[schedule.name] = schedule

    def _rows(self) -> list[tuple[str, str, datetime]]:
        rows = Sql(self._using).rows("SELECT name, rule, next_at FROM bandstand_events_schedule")
        return [(name, rule, as_time(moment)) for name, rule, moment in rows]

    def _come_to_pass(self, schedule: Schedule, moment: datetime, now: datetime) -> datetime:
        """Let the latest due moment come to pass; return when to look again."""
        name, following = schedule.name, schedule.after(now)
        try:
            with transaction.atomic(using=self._using), context.bound(context.Context()):
                if self._note(schedule, moment, following):
                    schedule.function(max(moment, schedule.latest(now)))
                    log.info("schedule.moment_passed", extra={"schedule": name, "moment": moment.isoformat()})
                    _runs.labels(name, "done").inc()
        except Exception:
            self._failures[name] = self._failures.get(name, 0) + 1
            self._not_before[name] = now + pause_after(self._failures[name], self._config)
            _runs.labels(name, "failed").inc()
            log.exception("schedule.failed", extra={"schedule": name, "failures": self._failures[name]})
            return self._not_before[name]
        self._failures.pop(name, None)
        self._not_before.pop(name, None)
        return following

    def _note(self, schedule: Schedule, moment: datetime, following: datetime) -> bool:
        """Write that *moment* has passed; False when another process has done it."""
        sql = Sql(self._using)
        moments = (sql.time(following), sql.time(moment))
        return bool(sql.change(_NOTE, (*moments, schedule.name, schedule.rule, sql.time(moment))))
