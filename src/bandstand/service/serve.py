"""Serve one service with granian: `python -m bandstand.service.serve --settings orders.settings --port 8104`.

The parent only holds the socket and imports nothing of Django; its worker loads the service, brings the database up to
date where that is asked for, and starts the loops (relay, consumers, sagas). On SIGTERM the server finishes the
requests in flight, then the loops are drained. A worker that dies takes its parent with it, and the other way round.
"""

import argparse
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from granian.constants import Interfaces, Loops
from granian.log import LogLevels
from granian.server import Server

from bandstand.config.environment import default_to
from bandstand.service.processes import die_with_parent

__all__ = ["main"]

_DRAIN = timedelta(seconds=10)
WsgiApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@dataclass(frozen=True, kw_only=True)
class _Target:
    """What a worker loads; called once in the worker, after the fork."""

    settings: str
    parent_pid: int

    def __call__(self) -> WsgiApplication:
        die_with_parent(self.parent_pid)
        default_to("DJANGO_SETTINGS_MODULE", self.settings)
        from bandstand.service.boot import boot  # noqa: PLC0415 - Django belongs into the worker

        return boot(drain=_DRAIN)


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and serve until SIGTERM."""
    options = _parser().parse_args(arguments)
    Server(
        target=options.settings,
        address=options.host,
        port=options.port,
        interface=Interfaces.WSGI,
        workers=options.workers,
        blocking_threads=options.threads,
        loop=Loops.asyncio,
        log_level=LogLevels.warning,
        workers_kill_timeout=int(_DRAIN.total_seconds()) + 5,
    ).serve(target_loader=_Target(settings=options.settings, parent_pid=os.getpid()), wrap_loader=False)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bandstand.service.serve", description=__doc__)
    parser.add_argument("--settings", required=True, help="the service's settings module, such as orders.settings")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--workers", type=int, default=1, help="processes; more than one needs PostgreSQL")
    parser.add_argument("--threads", type=int, default=4, help="threads that answer requests, for each worker")
    return parser


if __name__ == "__main__":
    main()
