"""The long form: `python -m tests.trials --bus redis --database postgresql --events 100000 --restarts 10`."""

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import django
from benchmarks.report import machine
from django.conf import settings

from tests.trials.servers import BUSES, DATABASES

_LIBRARIES = ("psycopg", "redis", "amqp")
_PLANNED = ("bus", "database", "events", "seconds", "seed", "restarts", "dwell")


def main() -> int:
    """Run the campaign and, if asked to, the outage; 1 when a promise was broken."""
    given = _arguments()
    settings.configure(INSTALLED_APPS=["bandstand.events"])
    django.setup()
    found = {"machine": machine() | {"libraries": {name: version(name) for name in _LIBRARIES}}}
    found["campaign"] = _campaign(given)
    if given.outage:
        found["outage"] = _outage(given)
    text = json.dumps(found, indent=2) + "\n"
    print(text)
    if given.json:
        given.json.write_text(text, encoding="utf-8")
    return 1 if any(each["faults"] for name, each in found.items() if name != "machine") else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.trials", description=main.__doc__)
    parser.add_argument("--bus", choices=BUSES, default="embedded")
    parser.add_argument("--database", choices=DATABASES, default="sqlite")
    parser.add_argument("--events", type=int, default=100_000, help="how many facts to commit")
    parser.add_argument("--seconds", type=float, default=0, help="over how long to spread them; 0: as fast as it goes")
    parser.add_argument("--seed", type=int, default=1, help="the same seed kills the same roles after the same pauses")
    parser.add_argument("--restarts", type=int, default=10, help="how often the broker is restarted")
    parser.add_argument("--partitions", type=int, default=2, help="of the relay; 1: one leads, the others stand by")
    parser.add_argument("--dwell", type=float, default=0.0005, help="how long a consumer takes for a fact, in seconds")
    parser.add_argument("--double", default="", help="a faulty bus of tests.trials.doubles: the judge must find it")
    parser.add_argument("--outage", type=int, default=0, help="how many events to let pile up in a second trial")
    parser.add_argument("--json", type=Path, help="where to keep the result")
    return parser.parse_args()


def _campaign(given: argparse.Namespace) -> dict[str, Any]:
    trials = import_module("tests.trials.campaign")
    plan = trials.Plan(
        **{
            name: getattr(given, name) for name in ("bus", "database", "events", "seconds", "seed", "restarts", "dwell")
        },
        double=given.double,
        settings={"relay_partitions": given.partitions},
    )
    print(f"campaign on {plan.bus} and {plan.database}, seed {plan.seed}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(prefix="bandstand-trial-") as folder, trials.staged(plan, Path(folder)) as stage:
        campaign = trials.Campaign(stage, plan)
        verdict = campaign.run()
    return {
        "plan": asdict(plan),
        "kills": dict(sorted(campaign.kills.items())) | {"total": campaign.kills.total()},
        "restarts": campaign.restarts,
        "seconds": campaign.seconds,
        "faults": verdict.faults,
        "found": verdict.summary(),
    }


def _outage(given: argparse.Namespace) -> dict[str, Any]:
    trials, outages = import_module("tests.trials.campaign"), import_module("tests.trials.outage")
    plan = trials.Plan(bus=given.bus, database=given.database, events=given.outage, dwell=0)
    print(f"outage of {plan.bus} on {plan.database}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(prefix="bandstand-trial-") as folder, trials.staged(plan, Path(folder)) as stage:
        found = outages.outage(stage, plan)
    numbers = {name: getattr(found, name) for name in ("backlog", "arrival_per_second", "seconds")}
    rates = {"drained_per_second": found.drained_per_second, "drained_to_arrival": found.ratio}
    return {**numbers, **rates, "faults": found.verdict.faults, "found": found.verdict.summary()}


if __name__ == "__main__":
    sys.exit(main())
