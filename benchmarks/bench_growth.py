"""How cost grows with what piles up, and how much memory it takes; the goal for an old transaction is P17's 1.5 times.

    python -m benchmarks.bench_growth [--rounds 3] [--quick] [--only inbox]

Backlogs of a million rows in outbox and inbox, an old transaction behind which 100,000 events went through (what
"open for minutes" does to a busy outbox), a hundred consumers and a hundred services that listen, ten thousand
subjects, events of a megabyte. Each question is a process of its own with fresh databases; the bus is the embedded
one, so that no broker hides what the tables cost. A round takes minutes, so one is what is run unless told otherwise.
"""

from contextlib import ExitStack

from benchmarks.messaging import growing, servers
from benchmarks.report import Figures, in_child, in_turns, keep, machine, medians, options, serve_child

SCRIPT = "benchmarks.bench_growth"
MUCH, SAMPLE = 1_000_000, 10_000
QUESTIONS: dict[str, tuple[str, Figures]] = {
    "outbox of a million, postgresql": ("backlog", {"count": MUCH, "sample": SAMPLE}),
    "outbox of a million, sqlite": ("backlog", {"count": MUCH, "sample": SAMPLE}),
    "inbox of a million, postgresql": ("remembered", {"count": MUCH, "sample": SAMPLE}),
    "old reader, postgresql": ("held", {"count": MUCH // 10, "by": "reader"}),
    "old writer of events, postgresql": ("held", {"count": MUCH // 10, "by": "writer"}),
    "1 consumer, postgresql": ("fan_out", {"consumers": 1, "sample": SAMPLE}),
    "100 consumers, postgresql": ("fan_out", {"consumers": 100, "sample": SAMPLE // 20}),
    "1 listening service": ("groups", {"groups": 1, "sample": SAMPLE}),
    "100 listening services": ("groups", {"groups": 100, "sample": SAMPLE}),
    "10 subjects, postgresql": ("keys", {"subjects": 10, "sample": SAMPLE}),
    "10,000 subjects, postgresql": ("keys", {"subjects": 10_000, "sample": SAMPLE}),
    "events of 1 kB, postgresql": ("payload", {"size": 1_000, "sample": SAMPLE}),
    "events of 1 MB, postgresql": ("payload", {"size": 1_000_000, "sample": 200}),
}


def one(question: str, server: servers.RunningEngine, share: float) -> Figures:
    """Ask one question on fresh databases."""
    role, given = QUESTIONS[question]
    smaller = {name: round(value * share) if name in ("count", "sample") else value for name, value in given.items()}
    with ExitStack() as stack:
        folder = stack.enter_context(servers.folder())
        smaller["bus"] = f"embedded:///{folder}/bus.sqlite3"
        if question.endswith("sqlite"):
            smaller["database"] = f"sqlite:///{folder}/shop.sqlite3"
        elif question.endswith("postgresql"):
            smaller["database"] = stack.enter_context(servers.database(server))
        return in_child(SCRIPT, role, smaller)


def main() -> None:
    """Measure, print and write down."""
    chosen = options(__doc__)
    with servers.folder() as place, servers.postgresql(place) as server:
        rounds = in_turns([*QUESTIONS], lambda name: one(name, server, 0.05 if chosen.quick else 1.0), chosen)
    keep("growth", {"machine": machine("psycopg"), "questions": medians(rounds)}, chosen)


if __name__ == "__main__":
    roles = (growing.backlog, growing.held, growing.remembered, growing.fan_out)
    if not serve_child({role.__name__: role for role in (*roles, growing.groups, growing.keys, growing.payload)}):
        main()
