"""The Django app: registers checks and loops, starts nothing."""

from django.apps import AppConfig

__all__ = ["EventsApp"]


class EventsApp(AppConfig):
    """Outbox, inbox, relay and dead letters of one service."""

    name = "bandstand.events"
    label = "bandstand_events"
    verbose_name = "Events"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Offer the loops, which a worker starts, the system checks, and what health says of the relay."""
        from django.core.checks import register  # noqa: PLC0415 - models exist only now

        from bandstand.events import checks  # noqa: PLC0415 - as above
        from bandstand.events.loops import register_loops  # noqa: PLC0415 - as above
        from bandstand.events.relay.health import check_relay  # noqa: PLC0415 - as above
        from bandstand.health import Check, register_check  # noqa: PLC0415 - as above

        register_loops()
        register_check(Check(name="relay", run=check_relay))
        register(checks.check_bus, "bandstand")
        register(checks.check_history, "bandstand")
        register(checks.check_bus_server, "bandstand", deploy=True)
        register(checks.check_events, "bandstand")
