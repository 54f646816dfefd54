"""P17: what lies in the tables of sagas, and what a saga consists of, against how many are done a second. PostgreSQL.

    python -m benchmarks.bench_saga_growth [--rounds 3] [--quick] [--only "finished"]

Clients in a closed loop, as in bench_sagas: beside a thousand to a million sagas that have ended, with their logs;
beside a hundred to a hundred thousand that wait; with 2 to 50 steps; with a context of 1 to 256 kB. And the claim of a
saga while an old transaction keeps 100,000 dead rows from being vacuumed. Rows are copies of real sagas.
"""

from contextlib import ExitStack
from pathlib import Path
from tempfile import mkdtemp

from bandstand.testing.engines import RunningEngine
from benchmarks.messaging import servers
from benchmarks.report import Figures, in_child, in_turns, keep, machine, medians, options, ratio, serve_child
from benchmarks.sagas import growing, ours, shop

SCRIPT = "benchmarks.bench_saga_growth"
RATE = "sagas_per_second"
MUCH, AT_ONCE = 1_000_000, 100_000
EMPTY, FULL = "finished 0", f"finished {MUCH:_}"
FINISHED = {EMPTY: 0, "finished 1_000": 1_000, "finished 10_000": 10_000, "finished 100_000": 100_000, FULL: MUCH}
LIVE = {f"live {count:_}": count for count in (100, 1_000, 10_000, 100_000)}
STEPS = {f"steps {count}": count for count in (2, 10, 20, 50)}
CONTEXTS = {f"context {size} kB": size * 1_000 for size in (1, 16, 64, 256)}
CLAIM = "claim with 100_000 dead rows"


class Tables:
    """Databases with what a variant needs to lie in them."""

    def __init__(self, stack: ExitStack, server: RunningEngine, share: float) -> None:
        self._stack, self._server, self._share = stack, server, share
        self._empty = stack.enter_context(servers.database(server))
        self._full = ""
        in_child(SCRIPT, "migrate", {"database": self._empty})

    def fresh(self, stack: ExitStack) -> str:
        """Empty tables, for a while."""
        return stack.enter_context(servers.database(self._server, like=self._empty.rpartition("/")[2]))

    def full(self) -> tuple[str, Figures]:
        """Tables with many finished sagas, filled on first use and kept, and their sizes."""
        if not self._full:
            self._full = self.fresh(self._stack)
            for _ in range(MUCH // AT_ONCE):
                in_child(SCRIPT, "fill", {"database": self._full, "finished": self.scaled(AT_ONCE)})
        return self._full, in_child(SCRIPT, "tidy", {"database": self._full})

    def scaled(self, count: int) -> int:
        """So many rows, or fewer in a quick run."""
        return max(round(count * self._share), min(count, 10))


def one(variant: str, tables: Tables, folder: Path, share: float) -> Figures:
    """Measure one variant."""
    with ExitStack() as stack:
        if variant == FULL:
            database, sizes = tables.full()
        else:
            database, sizes = tables.fresh(stack), {}
        if variant == CLAIM:
            given = {"dead": tables.scaled(AT_ONCE), "samples": round(16 * max(share, 0.5))}
            gates = [mkdtemp(dir=folder), mkdtemp(dir=folder)]
            return in_child(SCRIPT, "claims", {"database": database, "gates": gates, **given})
        if variant != FULL and (count := FINISHED.get(variant, 0) + LIVE.get(variant, 0)):
            kind = "finished" if variant in FINISHED else "live"
            in_child(SCRIPT, "fill", {"database": database, kind: tables.scaled(count)})
            sizes = in_child(SCRIPT, "tidy", {"database": database})
        what = {"steps": STEPS.get(variant, 5), "padding": CONTEXTS.get(variant, 0)}
        seconds = (3 if variant in (EMPTY, FULL) else 1.5) * max(share, 0.3)
        levels = (1, 8) if variant in (EMPTY, FULL) else (8,)
        return {**loops({"database": database, "seconds": seconds, **what}, levels), **sizes}


def loops(given: Figures, levels: tuple[int, ...]) -> Figures:
    """Closed loops, each in a process of its own."""
    found: Figures = {}
    for clients in levels:
        figures = in_child(SCRIPT, "ours", {**given, "clients": clients})
        found |= {f"{name} at {clients}": value for name, value in figures.items() if name != "sagas"}
    return found


def main() -> None:
    """Measure, print and write down."""
    chosen = options(__doc__)
    share = 0.02 if chosen.quick else 1.0
    with servers.folder() as place, ExitStack() as stack:
        server = stack.enter_context(servers.postgresql(place))
        tables = Tables(stack, server, share)
        variants = [*FINISHED, *LIVE, *STEPS, *CONTEXTS, CLAIM]
        rounds = in_turns(variants, lambda name: one(name, tables, place, share), chosen)
    result = {
        "goals": {
            "P17": "with a million finished sagas >= 95 % of the speed of an empty table; index of live rows < 1 MB; "
            "a claim with 100,000 dead rows pinned <= 1.5 times clean"
        },
        "machine": machine("psycopg"),
        "compared": {
            f"full over empty at {level}": ratio(rounds, f"{RATE} at {level}", FULL, EMPTY) for level in (1, 8)
        },
        "variants": medians(rounds),
    }
    keep("saga_growth", result, chosen)


if __name__ == "__main__":
    roles = (shop.migrate, ours.ours, growing.fill, growing.tidy, growing.claims, growing.starter)
    if not serve_child({role.__name__: role for role in roles}):
        main()
