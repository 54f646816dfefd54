"""What a worker process does between its fork and its first request."""

import gc
import sys
from collections.abc import Callable, Iterable
from datetime import timedelta
from multiprocessing.util import Finalize
from typing import Any

from bandstand.config import ConfigurationError
from bandstand.service.lean import leave_postgresql_out
from bandstand.service.processes import wake_main_thread_on_signals

__all__ = ["boot"]


def boot(*, drain: timedelta) -> Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]:
    """Load the service, migrate where asked, start its loops, and return the WSGI application.

    The loops end after the last request: granian lets requests finish before the process exits, `Finalize` runs then
    (`atexit` does not run in its workers).
    """
    try:
        leave_postgresql_out()
        from bandstand.service.wsgi import application  # noqa: PLC0415 - loads Django
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
    from bandstand.lifecycle import begin_drain, start_loops  # noqa: PLC0415

    migrate_if_asked()
    wake_main_thread_on_signals()
    worker = start_loops()

    def stop() -> None:
        begin_drain()
        worker.drain(drain)

    Finalize(None, stop, exitpriority=100)
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)  # measured: 4-5 % off a REST list, no cost elsewhere
    loaded: Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]] = application
    return loaded


def migrate_if_asked() -> None:
    """Bring the database up to date where MIGRATE_ON_START says so: on one machine, never in a rolling deployment."""
    from bandstand.config import load  # noqa: PLC0415
    from bandstand.service.environment import ServiceEnvironment  # noqa: PLC0415

    if not load(ServiceEnvironment).migrate_on_start:
        return
    from django.core.management import call_command  # noqa: PLC0415

    from bandstand.database.turns import one_at_a_time  # noqa: PLC0415

    with one_at_a_time("migrate"):  # replicas start together
        call_command("migrate", verbosity=0, interactive=False)
