"""Simulate a saga: `python -m bandstand.testing.simulation --saga shop.sagas:CheckoutSaga`.

With `--seed` one schedule is shown line by line; without, many are tried, and the simplest failure is shown.
"""

import os
import secrets
import sys
import time

import click
import django

from bandstand.config import environment
from bandstand.testing.simulation.chance import data_of
from bandstand.testing.simulation.many import named, search_with
from bandstand.testing.simulation.running import search, shrunk, timeline

_ORDER = "bandstand.testing.simulation.sagas:Order"


@click.command()
@click.option("--saga", "path", default=_ORDER, show_default=True, help="module:Class of the saga.")
@click.option("--seed", type=int, help="Show the schedule of this seed.")
@click.option("--simplest", is_flag=True, help="With --seed: show the simplest schedule that fails as it does.")
@click.option("--schedules", default=10_000, show_default=True, help="How many to try.")
@click.option("--first", type=int, help="The first seed; without it, a random one.")
@click.option("--processes", default=os.cpu_count() or 1, show_default=True, help="How many try at once.")
def main(path: str, seed: int | None, simplest: bool, schedules: int, first: int | None, processes: int) -> None:
    """Run a saga of yours, or the library's own, through simulated crashes, losses and delays."""
    if "DJANGO_SETTINGS_MODULE" in environment():
        django.setup()
    if seed is not None:
        sys.exit(_show(path, seed, simplest=simplest))
    start = secrets.randbelow(2**48) if first is None else first
    click.echo(f"{path}: {schedules} schedules from seed {start} on, {processes} at once")
    began = time.perf_counter()
    failure = search_with(processes, path, range(start, start + schedules))
    if failure is not None:
        click.echo(str(failure))
        sys.exit(1)
    seconds = time.perf_counter() - began
    click.echo(f"all promises kept, {schedules / seconds:.0f} schedules a second")


def _show(path: str, seed: int, *, simplest: bool) -> int:
    saga = named(path)
    failure = search(saga, [seed])
    shown = shrunk(failure).data if failure is not None and simplest else data_of(seed)
    click.echo(timeline(saga, shown))
    return 0 if failure is None else 1


if __name__ == "__main__":
    main()
