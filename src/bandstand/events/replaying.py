"""History handed to chosen consumers once more: to one that is new, or to a read model that is built from zero.

A temporary group reads the bus from its beginning, and the inbox keeps out what a consumer has applied. Meanwhile the
service's own reader stands by, so that order per subject holds; what is published then, it finds applied afterwards.
All of that is durable: a replay whose process dies is taken up again, or given up, by a person.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from bandstand import clock
from bandstand.config import identity, section
from bandstand.errors import Conflict, NotFound
from bandstand.events import actions, registry
from bandstand.events.backends import Bus, Delivery, Subscription, current_bus
from bandstand.events.config import EventsConfig
from bandstand.events.envelope import Envelope, UnreadableEnvelope
from bandstand.events.groups import Group, group_of, groups
from bandstand.events.history import history
from bandstand.events.inbox import Inbox
from bandstand.events.models import DeadLetter, EventAction, InboxRow, Replay, WaitingRow
from bandstand.events.pausing import end_batches, paused
from bandstand.events.registry import Consumer

__all__ = ["Progress", "abort", "begin", "begin_rebuild", "read_model", "run", "under_way"]

_WAIT = timedelta(milliseconds=200)
_SURELY_REMEMBERED = 0.9
"""How much of the inbox's retention counts: publishers' clocks differ, and a replay takes its time."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a replay is: events read so far, and those that the bus still has for it."""

    read: int
    left: int


def read_model(name: str) -> list[Consumer]:
    """The consumer *name* and all that declare the same reset. Raises NotFound; Conflict if it declares none."""
    (one,) = _chosen([name])
    if one.reset is None:
        raise Conflict(f"{one.id} declares no reset=, so its read model cannot be emptied", conflict="no_reset")
    return [each for each in registry.consumers() if each.reset is one.reset]


def begin(names: Sequence[str], *, since: datetime | None = None, whole: bool = False, by: str = "") -> Replay:
    """Note a replay for these consumers and let the reader of their group stand by; `run` does it.

    Without *since* a consumer that has applied something gets only events within the inbox's retention: of older ones
    nobody knows any more whether it applied them, so that an earlier *since* is refused. *whole* hands over all the
    same, to consumers for which an event applied twice makes no difference. Raises NotFound, NoHistory, and Conflict
    for what is refused, while another is under way, or where they belong to several groups.
    """
    config = section(EventsConfig)
    chosen = _chosen(names)
    group = _group_of(chosen)
    _leave_no_gap(group, config)
    ids = [each.id for each in chosen]
    applied = InboxRow.objects.using(config.database).filter(consumer__in=ids, applied_at__isnull=False)
    if not whole and applied.exists():
        since = _remembered(since, clock.database_now(config.database), config)
    with transaction.atomic(using=config.database):
        return _note(chosen, group, since=since, by=by)


def _remembered(since: datetime | None, now: datetime, config: EventsConfig) -> datetime:
    if since is None:
        return now - config.inbox_retention * _SURELY_REMEMBERED
    oldest = now - config.inbox_retention
    if since < oldest:
        sentence = f"what was applied before {oldest:%Y-%m-%d %H:%M:%S%z} is forgotten, and would be applied again"
        raise Conflict(f"{sentence}: name a later moment, or rebuild", conflict="not_remembered")
    return since


def begin_rebuild(name: str, *, by: str = "") -> Replay:
    """Empty the read model of a consumer and note a replay of all history for it, in one transaction.

    What waits comes again from the history; dead letters stay what they are. Raises as `begin` and `read_model` do.
    """
    config = section(EventsConfig)
    chosen = read_model(name)
    group = _group_of(chosen)
    _leave_no_gap(group, config)
    ids = [each.id for each in chosen]
    with transaction.atomic(using=config.database):
        noted = _note(chosen, group, since=None, by=by)
        WaitingRow.objects.using(config.database).filter(consumer__in=ids).delete()
        for each in ids:
            letters = DeadLetter.objects.using(config.database).filter(consumer=each).exclude(state="replayed")
            inbox = InboxRow.objects.using(config.database).filter(consumer=each)
            inbox.exclude(event_id__in=letters.values("event_id")).delete()
        # Last: what a retry had under way has waited for, and is wiped.
        if chosen[0].reset is not None:
            chosen[0].reset()
    return noted


def under_way() -> Replay | None:
    """The replay that holds the reader of one of this service's groups, if there is one."""
    own = identity().name
    held = Q(reader=own) | Q(reader__startswith=f"{own}.")
    return Replay.objects.using(section(EventsConfig).database).filter(held).first()


def run(tell: Callable[[Progress], None] = lambda _: None) -> Progress:
    """Do the replay that was begun, or go on with one whose process died; return when the bus has nothing left for it.

    Raises NotFound when none was begun, Conflict while another process runs it, BusUnavailable.
    """
    noted = under_way()
    if noted is None:
        raise NotFound("no replay was begun")
    known = {each.id: each for each in registry.consumers()}
    chosen = [known[id_] for id_ in json.loads(noted.consumers) if id_ in known]
    bus, group = history(), _temporary(noted)
    inbox = Inbox(chosen, section(EventsConfig), group=group)
    bus.register(group, inbox.types, from_beginning=True)
    subscription = bus.subscribe(group)
    if subscription is None:
        raise Conflict("another process runs this replay", conflict="replay_running")
    try:
        done = _Course(bus, subscription, inbox, noted, tell).run()
    finally:
        subscription.close()
    _end(bus, noted)
    return done


def abort(*, by: str = "") -> None:
    """Give up a replay: what it has applied stays, the rest of the history is not read. Raises NotFound."""
    noted = under_way()
    if noted is None:
        raise NotFound("no replay was begun")
    # First, for a deed that leaves no trail is worse than a trail of one that failed and is done again.
    given_up = [EventAction(action=EventAction.Kind.REPLAY, consumer=each) for each in json.loads(noted.consumers)]
    actions.record(given_up, by=by, note="given up")
    _end(history(), noted)


class _Course:
    def __init__(
        self, bus: Bus, subscription: Subscription, inbox: Inbox, noted: Replay, tell: Callable[[Progress], None]
    ) -> None:
        self._bus = bus
        self._subscription = subscription
        self._inbox = inbox
        self._group = _temporary(noted)
        self._since = noted.since
        self._tell = tell
        self._read = 0

    def run(self) -> Progress:
        """Apply until the group has no lag."""
        waiter = self._bus.waiter(self._group)
        try:
            while True:
                deliveries = self._subscription.fetch(self._inbox.size)
                if deliveries:
                    self._apply(deliveries)
                    continue
                self._subscription.flush()
                progress = Progress(read=self._read, left=self._left())
                self._tell(progress)
                if not progress.left:
                    return progress
                waiter.wait(_WAIT)  # a bus may still have some on the way
        finally:
            waiter.close()

    def _apply(self, deliveries: Sequence[Delivery]) -> None:
        wanted = [each for each in deliveries if not self._is_too_old(each)]
        if wanted:
            self._inbox.apply(wanted)
        self._subscription.ack(deliveries[-1].position)
        before, self._read = self._read, self._read + len(deliveries)
        if before // 1000 != self._read // 1000:
            self._subscription.flush()
            self._tell(Progress(read=self._read, left=self._left()))

    def _is_too_old(self, delivery: Delivery) -> bool:
        if self._since is None:
            return False
        try:
            return Envelope.decoded(delivery.message.body).time < self._since
        except UnreadableEnvelope:  # the inbox makes a dead letter of it
            return False

    def _left(self) -> int:
        return sum(report.lag for report in self._bus.groups() if report.name == self._group)


def _chosen(names: Sequence[str]) -> list[Consumer]:
    known = {name: each for each in registry.consumers() for name in (each.name, each.id)}
    missing = [name for name in names if name not in known]
    if missing:
        raise NotFound(f"there is no consumer {missing[0]!r}", consumer=missing[0])
    return [known[name] for name in names]


def _group_of(chosen: Sequence[Consumer]) -> Group:
    """The group whose reader is to stand by. Raises Conflict where they are of several."""
    known = groups()
    found = {each.name: each for each in (group_of(one.id, known) for one in chosen)}
    if len(found) > 1:
        raise Conflict(f"they belong to several groups: {', '.join(found)}; replay one after the other")
    return next(iter(found.values()))


def _leave_no_gap(group: Group, config: EventsConfig) -> None:
    """Have the bus hold for this group what is published from now on, where the history is read elsewhere.

    Raises NoHistory, BusUnavailable.
    """
    bus = current_bus()
    if history() is not bus:
        bus.register(group.name, group.types, from_beginning=config.from_beginning)


def _note(chosen: Sequence[Consumer], group: Group, *, since: datetime | None, by: str) -> Replay:
    using = section(EventsConfig).database
    end_batches(using)
    if under_way() is not None:
        raise Conflict("a replay is under way; finish it or give it up first", conflict="replay_under_way")
    if group.name in paused():
        raise Conflict(f"{group.name} is paused; resume it first", conflict="group_paused")
    ids = [each.id for each in chosen]
    actions.record([EventAction(action=EventAction.Kind.REPLAY, consumer=each) for each in ids], by=by)
    return Replay.objects.using(using).create(
        reader=group.name,
        consumers=json.dumps(ids),
        since=since,
        started_at=clock.database_now(using),
    )


def _end(bus: Bus, noted: Replay) -> None:
    bus.register(_temporary(noted), (), from_beginning=True)
    noted.delete()


def _temporary(noted: Replay) -> str:
    return f"{noted.reader}.replay"
