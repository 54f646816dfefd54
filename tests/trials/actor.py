"""What the processes of a trial do; each is forked by `tests.trials.zygote`, which has set Django up."""

import os
import signal
from collections.abc import Callable
from datetime import timedelta
from importlib import import_module
from typing import Any

import django
from django.conf import settings

from bandstand import clock
from bandstand.database import database_from_url
from tests.trials.scene import MIRROR, Scene, rolls_back

__all__ = ["ROLES", "configure"]

_DURATIONS = ("relay_lease", "retry_base", "retry_cap", "safety_poll")
_TO_DRAIN = timedelta(seconds=20)


def configure(service: str, scene: Scene) -> None:
    """Set Django up as *service*: a database of its own, one bus for both."""
    own = {name: timedelta(seconds=value) if name in _DURATIONS else value for name, value in scene.settings.items()}
    settings.configure(
        INSTALLED_APPS=["bandstand.events"],
        DATABASES={"default": database_from_url(scene.databases[service])},
        USE_TZ=True,
        BANDSTAND={
            "SERVICE": {"NAME": service, "ENVIRONMENT": "test"},
            "EVENTS": {"BUS_URL": scene.bus_url, **{name.upper(): value for name, value in own.items()}},
        },
        LOGGING_CONFIG=None,
    )
    django.setup()
    if service == MIRROR:
        import_module("tests.trials.mirroring").declare(scene)
    if scene.double:
        backends = import_module("bandstand.events.backends")
        double, open_bus = import_module("tests.trials.doubles").DOUBLES[scene.double], backends.open_bus
        backends.open_bus = lambda url: double(open_bus(url))


def prepare(scene: Scene) -> None:
    """Make the tables. Nothing in `effect` forbids doing a thing twice, so that it can be counted."""
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    serial = "GENERATED ALWAYS AS IDENTITY" if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE fact (number INTEGER PRIMARY KEY, subject TEXT NOT NULL)")
        cursor.execute(f"CREATE TABLE effect (id INTEGER PRIMARY KEY {serial}, number INTEGER, subject TEXT)")


def publish(scene: Scene, *, until: int, per_second: float = 0) -> None:
    """Note fact after fact up to *until*, beginning after the last that is committed."""
    from django.db import connection, transaction

    from bandstand.events import publish as publish_event
    from tests.trials.facts import FactNoted

    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(number), 0) FROM fact")
        (last,) = cursor.fetchone()
    started = clock.monotonic()
    for number in range(last + 1, until + 1):
        if per_second:
            clock.sleep(started + (number - last) / per_second - clock.monotonic())
        subject = scene.subject(number)
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("INSERT INTO fact (number, subject) VALUES (%s, %s)", (number, subject))
            publish_event(FactNoted(subject=subject, number=number))
            if rolls_back(number):
                transaction.set_rollback(True)


def loop(scene: Scene, *, name: str) -> None:
    """Run a loop of the product until SIGTERM."""
    from bandstand.lifecycle import start_loops

    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # inherited by the threads of the loop
    worker = start_loops([name])
    signal.sigwait({signal.SIGTERM})
    worker.drain(_TO_DRAIN)


def dying_loop(scene: Scene, *, name: str, point: str) -> None:
    """Run a loop that dies at a named crash point."""
    os.environ |= {"BANDSTAND_CRASH_AT": point, "BANDSTAND_DATA": scene.folder}
    loop(scene, name=name)


ROLES: dict[str, Callable[..., Any]] = {each.__name__: each for each in (prepare, publish, loop, dying_loop)}
