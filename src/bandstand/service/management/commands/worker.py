"""`manage.py worker`: run a service's loops without serving requests."""

import signal
import threading
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from bandstand.errors import NotFound
from bandstand.events.loops import consumer_loops
from bandstand.lifecycle import begin_drain, registered_loops, start_loops

__all__ = ["Command"]


class Command(BaseCommand):
    """Run loops until SIGTERM, then finish the unit of work at hand."""

    help = "Run this service's loops (relay, consumers, sagas, maintenance) without serving requests."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        choosing = parser.add_mutually_exclusive_group()
        choosing.add_argument("--loops", default="", help="comma-separated names; default: all of them")
        choosing.add_argument(
            "--consumers",
            default="",
            metavar="GROUP,…",
            help="run the loops of these groups of consumers only, named by the group or by one of its consumers, or"
            " `all`; the relay and every other loop then run elsewhere: in the serving process, or a worker of --loops",
        )
        parser.add_argument("--drain-seconds", type=float, default=25.0, help="how long a loop may take to finish")

    def handle(self, *args: Any, **options: Any) -> None:
        """Start the loops and wait for SIGTERM or SIGINT."""
        names = _loops(_listed(options["loops"])) or _consuming(_listed(options["consumers"]))
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        worker = start_loops(names or None)
        stop.wait()
        begin_drain()
        worker.drain(timedelta(seconds=options["drain_seconds"]))


def _listed(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _loops(names: list[str]) -> list[str]:
    """The loops that are named; `consumers` stands for those of all groups."""
    offered = registered_loops()
    if unknown := sorted(set(names) - set(offered)):
        raise CommandError(f"unknown loops: {', '.join(unknown)}; there are: {', '.join(offered)}")
    return [name for name in offered if {name, name.partition(".")[0]} & set(names)]


def _consuming(groups: list[str]) -> list[str]:
    try:
        return consumer_loops(groups)
    except NotFound as error:
        raise CommandError(error.message, returncode=3) from error
