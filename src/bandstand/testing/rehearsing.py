"""`python -m bandstand.testing.rehearsing prove|record|replay`: prove a saga; record its histories, and replay them."""

import argparse
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import UUID

import django

from bandstand.config.environment import set_to

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Do what is asked; 1 when the proof has found something."""
    parser = argparse.ArgumentParser(prog="python -m bandstand.testing.rehearsing", description=__doc__)
    actions = parser.add_subparsers(required=True)
    proving = actions.add_parser("prove", help="crash a saga at every point, in every scenario")
    proving.add_argument("rehearsal", metavar="MODULE:NAME", help="a Rehearsal")
    proving.add_argument("--hits", type=int, default=2, help="die at so many passages of a point, one at a time")
    proving.add_argument("--in-processes", action="store_true", help="let processes really die")
    proving.set_defaults(act=_prove)
    recording = actions.add_parser("record", help="write the history of a saga that has ended, from the real database")
    recording.add_argument("id", type=UUID)
    recording.add_argument("file", type=Path)
    recording.set_defaults(act=_record)
    replaying = actions.add_parser("replay", help="feed recorded histories through the saga of today")
    replaying.add_argument("saga", metavar="MODULE:NAME")
    replaying.add_argument("files", type=Path, nargs="+")
    replaying.set_defaults(act=_replay)
    for each in (proving, recording, replaying):
        each.add_argument("--settings", help="instead of DJANGO_SETTINGS_MODULE")
    options = parser.parse_args(arguments)
    if options.settings:
        set_to("DJANGO_SETTINGS_MODULE", options.settings)
    django.setup()
    status: int = options.act(options)
    return status


def _prove(options: argparse.Namespace) -> int:
    from bandstand.testing.sagas import prove  # noqa: PLC0415 - models can be imported once Django is set up

    logging.disable(logging.CRITICAL)  # every trouble of every scenario would be told
    with _test_database():
        proof = prove(_named(options.rehearsal), hits=options.hits, in_processes=options.in_processes)
    sys.stdout.write(f"{proof}\n")
    for violation in proof.violations[:20]:
        sys.stdout.write(f"  {violation}\n")
    return 1 if proof.violations else 0


def _record(options: argparse.Namespace) -> int:
    from bandstand.testing.sagas import record  # noqa: PLC0415 - as above

    record(options.id, options.file)
    return 0


def _replay(options: argparse.Namespace) -> int:
    from bandstand.testing.sagas import Diverged, replay  # noqa: PLC0415 - as above

    diverged = 0
    for file in options.files:
        try:
            replay(file, _named(options.saga))
        except Diverged as error:
            diverged += 1
            sys.stdout.write(f"{error}\n")
    sys.stdout.write(f"{len(options.files) - diverged} of {len(options.files)} histories take the same way\n")
    return 1 if diverged else 0


def _named(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)


@contextmanager
def _test_database() -> Iterator[None]:
    from django.test.utils import setup_databases, teardown_databases  # noqa: PLC0415 - as above

    made = setup_databases(verbosity=0, interactive=False)
    try:
        yield
    finally:
        teardown_databases(made, verbosity=0)


if __name__ == "__main__":
    sys.exit(main())
