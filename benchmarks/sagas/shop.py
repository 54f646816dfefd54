"""What every side does: five steps that only add a line to the context. And Django, set up for two of them."""

from collections.abc import Mapping
from typing import Any

STEPS = ("validate_user", "reserve_inventory", "process_payment", "create_order", "send_confirmation")
CONTEXT: dict[str, Any] = {
    "order_id": 1,
    "user_id": 42,
    "items": [{"product_id": 101, "quantity": 2}],
    "total_minor": 19990,
    "payment_method": "card",
}


def act(name: str, context: Mapping[str, Any]) -> dict[str, Any]:
    """A step."""
    return {**context, name: "ok-1234567890"}


def configure(*, database: str, connections: int = 16, sagas: dict[str, Any] | None = None) -> None:
    """Set Django up with so many connections to PostgreSQL at most."""
    import django
    from django.conf import settings

    from bandstand.database import database_from_url

    if database.startswith("postgres"):
        database = f"{database}?pool_max_size={connections}&pool_timeout=30"
    settings.configure(
        INSTALLED_APPS=["bandstand.events", "bandstand.sagas", "benchmarks.sagas.articles"],
        DATABASES={"default": database_from_url(database)},
        CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
        BANDSTAND={"SERVICE": {"NAME": "bench"}, "EVENTS": {"BUS_URL": ""}, "SAGAS": sagas or {}},
        LOGGING_CONFIG=None,
    )
    django.setup()


def migrate(database: str) -> dict[str, Any]:
    """Make all tables."""
    configure(database=database)
    from django.core.management import call_command

    call_command("migrate", run_syncdb=True, verbosity=0)
    return {}
