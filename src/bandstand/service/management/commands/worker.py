"""`manage.py worker`: run a service's loops without serving requests."""

import signal
import threading
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from bandstand.lifecycle import begin_drain, registered_loops, start_loops

__all__ = ["Command"]


class Command(BaseCommand):
    """Run loops until SIGTERM, then finish the unit of work at hand."""

    help = "Run this service's loops (relay, consumers, sagas, maintenance) without serving requests."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--loops", default="", help="comma-separated names; default: all of them")
        parser.add_argument("--drain-seconds", type=float, default=25.0, help="how long a loop may take to finish")

    def handle(self, *args: Any, **options: Any) -> None:
        """Start the loops and wait for SIGTERM or SIGINT."""
        names = [name.strip() for name in options["loops"].split(",") if name.strip()]
        unknown = sorted(set(names) - set(registered_loops()))
        if unknown:
            raise CommandError(f"unknown loops: {', '.join(unknown)}; there are: {', '.join(registered_loops())}")
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        worker = start_loops(names or None)
        stop.wait()
        begin_drain()
        worker.drain(timedelta(seconds=options["drain_seconds"]))
