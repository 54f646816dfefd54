"""The groups of this service: sets of consumers that read the bus each on their own, so that none holds up another."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from bandstand.config import identity
from bandstand.errors import NotFound
from bandstand.events import registry
from bandstand.events._sql import Sql
from bandstand.events.backends import Bus
from bandstand.events.config import EventsConfig
from bandstand.events.models import InboxRow
from bandstand.events.registry import Consumer

__all__ = ["Group", "default_group", "group_of", "groups", "register_all"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Group:
    """Consumers that share a place on the bus, a loop and its transactions."""

    name: str
    """As the bus knows it: the service, or `<service>.<group>`."""
    consumers: tuple[Consumer, ...]
    elsewhere: frozenset[str] | None = None
    """Of the service's own group: the consumers of all others."""

    @property
    def types(self) -> list[str]:
        """The event types that it reads."""
        return sorted({type_ for each in self.consumers for type_ in each.types})

    def lanes(self, config: EventsConfig) -> int:
        """How many threads apply its events; one where the database has one writer at a time."""
        if not Sql(config.database).is_postgresql:
            return 1
        declared = max((each.concurrency for each in self.consumers), default=0)
        return max(1, declared or config.consumer_concurrency)

    def owns(self, consumer_id: str) -> bool:
        """Whether it answers for a consumer; the service's own group does for those whose code is gone."""
        if self.elsewhere is not None:
            return consumer_id not in self.elsewhere
        return any(each.id == consumer_id for each in self.consumers)


def groups() -> list[Group]:
    """All of them: the service's own, which is always there, and those that `@consumer(…, group=…)` names."""
    own, found = identity().name, registry.consumers()
    by_name: dict[str, list[Consumer]] = {own: []}
    for each in found:
        by_name.setdefault(each.group_name, []).append(each)
    elsewhere = frozenset(each.id for each in found if each.group_name != own)
    return [
        Group(name=name, consumers=tuple(members), elsewhere=elsewhere if name == own else None)
        for name, members in by_name.items()
    ]


def default_group() -> Group:
    """The service's own."""
    return groups()[0]


def group_of(name: str, known: Iterable[Group]) -> Group:
    """The group that is meant by its name, with the service or without, or by one of its consumers. Raises NotFound."""
    own, known = identity().name, list(known)
    for each in known:
        members = {text for member in each.consumers for text in (member.name, member.id)}
        if name in {each.name, each.name.removeprefix(f"{own}."), *members}:
            return each
    raise NotFound(f"there is no consumer or group {name!r}; the groups are: {', '.join(each.name for each in known)}")


def register_all(bus: Bus, config: EventsConfig) -> None:
    """Make every group of this service exist on *bus*, whichever of them this process reads for.

    A consumer that was given a group brings its past along: the inbox knows it by its id. A new group therefore begins
    with the history, where the events lie that its consumers had not got to, and what they have applied is recognised.
    The service's own comes last: what it no longer reads is held by then.
    """
    own, *others = groups()
    known = {report.name: set(report.types) for report in bus.groups()}
    for each in [*others, own]:
        _tell_who_joins(each, known.get(each.name), config)
        from_beginning = config.from_beginning or (each is not own and _has_past(each, config))
        bus.register(each.name, each.types, from_beginning=from_beginning)


def _tell_who_joins(group: Group, known: set[str] | None, config: EventsConfig) -> None:
    """Say which consumers with a past come into a group that is under way: it has passed what they have not got."""
    fresh = [each for each in group.consumers if known and known.isdisjoint(each.types)]
    applied = InboxRow.objects.using(config.database)
    joining = [each.id for each in fresh if applied.filter(consumer=each.id).exists()]
    if joining:
        log.warning("consumers.joined", extra={"group": group.name, "consumers": joining, "do": "manage.py replay"})


def _has_past(group: Group, config: EventsConfig) -> bool:
    ids = [each.id for each in group.consumers]
    return InboxRow.objects.using(config.database).filter(consumer__in=ids).exists()
