"""System checks: what would only fail once the first event is on its way."""

from typing import Any

from django.core.checks import CheckMessage, Error, Warning  # noqa: A004 - Django's name for it

from bandstand.config import identity, section
from bandstand.events import registry
from bandstand.events.backends import BusUnavailable, check_url, open_bus
from bandstand.events.config import EventsConfig
from bandstand.events.contracts import schema_of
from bandstand.events.declaration import Event
from bandstand.events.history import NoHistory, history_url, store_problem
from bandstand.events.upcasting import Upcaster, upcasters

__all__ = ["check_bus", "check_bus_server", "check_events", "check_history"]


def check_bus(**_: Any) -> list[CheckMessage]:
    """The bus is set where something needs it, and a backend serves it."""
    url = section(EventsConfig).bus_url
    if not url:
        if not registry.published() and not registry.consumers():
            return []
        return [
            Warning(
                "No event bus is set: events stay in the outbox and nothing is consumed.",
                hint="Set BUS_URL, for example embedded:////var/lib/shop/bus.sqlite3.",
                id="bandstand.W201",
            )
        ]
    problem = check_url(url)
    return [Error(f"The event bus cannot be used: {problem}.", id="bandstand.E201")] if problem else []


def check_history(**_: Any) -> list[CheckMessage]:
    """The event store is one, and read models that can be rebuilt have a history to be rebuilt from."""
    problem = store_problem()
    if problem is not None:
        return [Error(f"The event store cannot be used: {problem}.", hint="See EVENT_STORE.", id="bandstand.E206")]
    rebuilt = [each.id for each in registry.consumers() if each.reset is not None]
    if not rebuilt or check_url(section(EventsConfig).bus_url) is not None:
        return []
    try:
        history_url()
    except NoHistory as error:
        return [Warning(f"{', '.join(rebuilt)} cannot be rebuilt: {error}.", id="bandstand.W208")]
    return []


def check_bus_server(**_: Any) -> list[CheckMessage]:
    """The servers of bus and store are set to keep what they accept; they are asked, so only by `check --deploy`."""
    config = section(EventsConfig)
    urls = {"event bus": config.bus_url, "event store": config.event_store}
    return [found for name, url in urls.items() if check_url(url) is None for found in _doubts(name, url)]


def _doubts(name: str, url: str) -> list[CheckMessage]:
    bus = open_bus(url)
    try:
        found = bus.doubts()
    except BusUnavailable as error:
        return [Warning(f"The {name} could not be asked about its durability: {error}.", id="bandstand.W207")]
    finally:
        bus.close()
    return [Warning(f"The {name} may lose accepted events: {doubt}.", id="bandstand.W206") for doubt in found]


def check_events(**_: Any) -> list[CheckMessage]:
    """Every event class can be published or consumed as it is declared."""
    found: list[CheckMessage] = []
    for name, classes in registry.declared().items():
        publishers = [cls for cls in classes if cls.subject_field]
        found += [_foreign(cls) for cls in publishers if cls.event_owner() != identity().name]
        if len({f"{cls.__module__}.{cls.__qualname__}" for cls in publishers}) > 1:
            found.append(
                Error(f"Two classes publish {name}.", hint="An event has one declaration.", id="bandstand.E203")
            )
        found += [message for cls in classes for message in _unwritable(cls)]
    for consumer in registry.consumers():
        if not consumer.event.event_name:
            found.append(Error(f"The consumer {consumer.id} consumes a class without a name.", id="bandstand.E204"))
    found += _grouped()
    return found + [_pointless(each) for each in upcasters() if not _is_of_use(each)]


def _grouped() -> list[CheckMessage]:
    """Names mean one thing each, what is rebuilt together reads together, and moving to a group repeats nothing."""
    consumers, config = registry.consumers(), section(EventsConfig)
    named = {each.group for each in consumers} - {""}
    found: list[CheckMessage] = [
        Error(f"{name!r} names both a group and a consumer.", id="bandstand.E207")
        for name in sorted(named & {each.name for each in consumers})
    ]
    readers: dict[object, set[str]] = {}
    for each in consumers:
        if each.reset is not None:
            readers.setdefault(each.reset, set()).add(each.group_name)
    found += [
        Error(
            f"Consumers of one read model belong to several groups: {', '.join(sorted(apart))}.",
            hint="Consumers that declare the same reset= are rebuilt together; give them the same group=.",
            id="bandstand.E208",
        )
        for apart in readers.values()
        if len(apart) > 1
    ]
    if named and config.bus_retention > config.inbox_retention:
        sentence = "A consumer that gets a group may apply again what is older than INBOX_RETENTION."
        found.append(Warning(sentence, hint="Let INBOX_RETENTION be at least BUS_RETENTION.", id="bandstand.W209"))
    return found


def _is_of_use(each: Upcaster) -> bool:
    return any(each.old in consumer.types for consumer in registry.consumers())


def _pointless(each: Upcaster) -> CheckMessage:
    return Warning(
        f"An upcaster leads from {each.old} to {each.to}, but nothing here consumes what it leads to.",
        hint="Consume the later version, or mend the names.",
        obj=each.lift,
        id="bandstand.W210",
    )


def _foreign(cls: type[Event]) -> CheckMessage:
    return Error(
        f"{cls.__name__} declares a subject, as a publisher does, but {cls.event_name} belongs to {cls.event_owner()}.",
        hint="To consume it, declare the class without subject=; to publish it, do so in that service.",
        obj=cls,
        id="bandstand.E202",
    )


def _unwritable(cls: type[Event]) -> list[CheckMessage]:
    try:
        schema_of(cls)
    except (TypeError, NameError) as error:
        return [Error(f"{cls.event_name} cannot be written as JSON: {error}", obj=cls, id="bandstand.E205")]
    return []
