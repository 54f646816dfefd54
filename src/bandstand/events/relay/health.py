"""What the health report says of the relay: asked of the database, so that any process of the service can answer."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bandstand import clock
from bandstand.config import section
from bandstand.events._sql import Sql, as_time
from bandstand.events.config import EventsConfig
from bandstand.events.measures import RelayGauges

__all__ = ["RelayOverdue", "check_relay"]

# What the relay would take next: not what the bus refused, which waits for its moment with all of its subject.
_OLDEST = """
    SELECT created_at FROM bandstand_events_outbox
     WHERE dead_at IS NULL AND subject NOT IN (
           SELECT subject FROM bandstand_events_outbox WHERE attempts > 0 AND dead_at IS NULL AND next_at > %s)
     ORDER BY id LIMIT 1"""
_LATEST = "SELECT delivered_at FROM bandstand_events_delivered ORDER BY id DESC LIMIT 1"
_LAST_SIGN = "SELECT owner, until FROM bandstand_events_lease WHERE name LIKE 'relay%%' ORDER BY until DESC LIMIT 1"


class RelayOverdue(Exception):
    """Events lie in the outbox and none of them gets to the bus."""


def check_relay() -> Mapping[str, Any]:
    """Compare the oldest event of the outbox with the last one delivered. Raises RelayOverdue.

    A backlog that is being worked off is none: something has been delivered within `RELAY_OVERDUE`.
    """
    config = section(EventsConfig)
    if not config.bus_url:
        return {}
    RelayGauges(config).measure()  # else nobody would, where no relay runs
    sql, now = Sql(config.database), clock.database_now(config.database)
    oldest = _moment(sql, _OLDEST, (sql.time(now),))
    if oldest is None:
        return {"oldest_seconds": 0}
    latest = _moment(sql, _LATEST)
    if max(oldest, latest or oldest) < now - config.relay_overdue:
        age = round((now - oldest).total_seconds())
        raise RelayOverdue(
            f"the oldest event in the outbox waits for {age} s and none gets delivered: {_why(sql, now)}"
        )
    return {"oldest_seconds": round((now - oldest).total_seconds(), 3)}


def _why(sql: Sql, now: datetime) -> str:
    found = sql.rows(_LAST_SIGN)
    if not found or as_time(found[0][1]) < now - section(EventsConfig).relay_overdue:
        return "no process relays them; start a worker with the loop relay"
    return f"the relay of {found[0][0]} tries in vain; look whether the bus is up, and into its log"


def _moment(sql: Sql, statement: str, parameters: tuple[Any, ...] = ()) -> datetime | None:
    found = sql.rows(statement, parameters)
    return as_time(found[0][0]) if found else None
