"""The service that is measured: one table of business rows, one event, and Django set up for it in this process."""

import time
from typing import Any

ITEMS = [{"product_id": 101, "quantity": 2, "price": 4995}, {"product_id": 202, "quantity": 1, "price": 10000}]


def configure(
    *, database: str, bus: str = "", name: str = "bench", events: dict[str, Any] | None = None, stomp: int = 0
) -> None:
    """Set Django up with the events of Bandstand, and with django-outbox-pattern where a port of STOMP is given."""
    import django
    from django.conf import settings

    from bandstand.database import database_from_url

    peers: dict[str, Any] = {}
    if stomp:
        peers["DJANGO_OUTBOX_PATTERN"] = {"DEFAULT_STOMP_HOST_AND_PORTS": [("127.0.0.1", stomp)]}
    settings.configure(
        INSTALLED_APPS=[
            "bandstand.events",
            *(["django_outbox_pattern"] if stomp else []),
            "benchmarks.messaging.orders",
        ],
        DATABASES={"default": database_from_url(database)},
        CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
        BANDSTAND={"SERVICE": {"NAME": name}, "EVENTS": {"BUS_URL": bus, **(events or {})}},
        LOGGING_CONFIG=None,
        **peers,
    )
    django.setup()


def migrate() -> None:
    """Make all tables."""
    from django.core.management import call_command

    call_command("migrate", run_syncdb=True, verbosity=0)


def order_noted() -> Any:
    """The class of the event; of about 500 bytes in its envelope."""
    from bandstand.events import Event

    class OrderNoted(Event, name="bench.order_noted.v1", subject="order_id"):
        order_id: str
        user_id: int
        total: int
        currency: str
        payment_method: str
        items: list[dict[str, int]]
        at: float

    return OrderNoted


def facts(number: int) -> dict[str, Any]:
    """The fields of one event."""
    return {
        "order_id": str(number),
        "user_id": 42,
        "total": 19990,
        "currency": "EUR",
        "payment_method": "card",
        "items": ITEMS,
        "at": time.time(),
    }


def envelope(number: int, *, sequence: int = 0) -> tuple[str, str]:
    """The id of a new event and its envelope: as it lies in the outbox, and with a *sequence* as the relay sends it."""
    import msgspec

    from bandstand import clock
    from bandstand.events.envelope import Envelope

    made = Envelope(
        id=clock.uuid7(),
        type="bench.order_noted.v1",
        source="bench",
        subject=str(number),
        time=clock.now(),
        data=msgspec.json.encode(facts(number)),
        sequence=sequence,
        correlation_id="7f0c3a3e7bb14e0e9c1a0d4f3c1e2b5a",
        traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    )
    return str(made.id), made.encoded().decode()
