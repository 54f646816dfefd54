"""The whole shop under siege on each bus, the long form of `test_recovery`: `make soak-shop`."""

import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.report import machine, write

from bandstand.clock import monotonic, sleep
from tests.fleet.shops import Shop, crowd
from tests.fleet.test_recovery import is_healed
from tests.fleet_unit.fleets import kill, until

PROFILES = {"embedded": "", "rabbitmq": "production-like", "valkey": "production-like"}
SECONDS, PAUSES, CUSTOMERS = 60, (0.5, 2.0), 3


def main() -> int:
    """Besiege the shop on the buses named, or on all; keep what was counted, and stop at a broken promise."""
    for bus in sys.argv[1:] or PROFILES:
        with shop_on(bus) as shop:
            found = besiege(shop, random.Random(bus))
        write(f"siege-{bus}", {"machine": machine(), "bus": bus, **found})
    return 0


@contextmanager
def shop_on(bus: str) -> Iterator[Shop]:
    """A shop whose events travel on *bus*: on SQLite files with the embedded one, else on PostgreSQL."""
    with tempfile.TemporaryDirectory(prefix="bandstand-siege-") as folder:
        shop = Shop(Path(folder), profile=PROFILES[bus])
        if PROFILES[bus]:
            shop.manifest.write_text(shop.manifest.read_text().replace('["rabbitmq", "valkey"]', f'["{bus}"]'))
        shop.up()
        try:
            yield shop
        finally:
            shop.down()


def besiege(shop: Shop, chance: random.Random) -> dict[str, Any]:
    """Kill a process after each pause, whichever it is, while customers order; then audit.

    Raises AssertionError when an acknowledged order is lost, a customer fails, or an invariant does not hold.
    """
    kills: Counter[str] = Counter()
    with crowd(shop, size=CUSTOMERS) as customers:
        ends = monotonic() + SECONDS
        while monotonic() < ends:
            sleep(chance.uniform(*PAUSES))
            victim = chance.choice([each for each in shop.status["processes"] if each["state"] == "ready"])
            kill(victim["pid"])
            kills[victim["role"]] += 1
        began = monotonic()
        until(lambda: is_healed(shop, 0), seconds=60, what="all processes ready")
        healed = monotonic() - began
    assert customers.failures == []
    shop.audit()
    return {
        "seconds": SECONDS,
        "pauses": list(PAUSES),
        "kills": dict(sorted(kills.items())) | {"total": kills.total()},
        "ready_again_after_seconds": round(healed, 1),
        "orders": {"acknowledged": len(customers.acknowledged), "failed": 0},
        "broken_invariants": 0,
    }


if __name__ == "__main__":
    sys.exit(main())
