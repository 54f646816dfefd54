"""A crash at every point of a saga, in every scenario: what is played, and what came of it."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from django.db import connection

from bandstand.lifecycle.crashpoints import EXIT_STATUS
from bandstand.sagas.steps import Direction
from bandstand.testing.sagas import processes
from bandstand.testing.sagas.cast import Books
from bandstand.testing.sagas.judging import judged
from bandstand.testing.sagas.life import Life, Moment
from bandstand.testing.sagas.rehearsal import Performance, Rehearsal, careless_of_power
from bandstand.testing.sagas.rewriting import declared
from bandstand.testing.sagas.scenarios import Scenario, Trouble, scenarios_of
from bandstand.testing.sagas.stage import NotEnded

__all__ = ["Case", "Proof", "prove"]

_INTENT = 2
"""A step's trouble is met two points behind the first of its intent."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One performance: where it died, if it did, how the saga ended, and what is wrong with that."""

    scenario: Scenario
    death: Moment | None
    died: bool
    end: str
    violations: tuple[str, ...]


@dataclass(kw_only=True)
class Proof:
    """What a proof has found; as text it is the table."""

    saga: str
    crash_points: list[str]
    cases: list[Case] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def violations(self) -> list[str]:
        """All that is wrong, each with the performance in which it was found."""
        return [
            f"{case.scenario.title}, {f'dead at {case.death}' if case.death else 'without a death'}: {violation}"
            for case in self.cases
            for violation in case.violations
        ]

    @property
    def points(self) -> set[str]:
        """The crash points at which a process has died."""
        return {case.death.point for case in self.cases if case.death and case.died}

    @property
    def missed(self) -> list[str]:
        """The crash points of the saga at which no process has died."""
        return [point for point in self.crash_points if point not in self.points]

    def check(self) -> None:
        """Raise AssertionError with the table when anything is wrong."""
        if self.violations:
            raise AssertionError(f"{self}\n" + "\n".join(self.violations[:20]))

    def __str__(self) -> str:
        rows = [("scenario", "crashes", "hit", "violations", "ends")]
        for scenario in dict.fromkeys(case.scenario for case in self.cases):
            cases = [case for case in self.cases if case.scenario == scenario]
            deaths = [case for case in cases if case.death]
            died = sum(case.died for case in deaths)
            ends = Counter(case.end for case in cases)
            told = ", ".join(f"{count} {end}" for end, count in ends.most_common())
            broken = sum(bool(case.violations) for case in cases)
            rows.append((scenario.title, str(len(deaths)), str(died), str(broken), told))
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        lines = [
            "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[4]]) for row in rows
        ]
        crashes = sum(case.died for case in self.cases)
        total = (
            f"{self.saga}: {crashes} crashes at {len(self.points)} points in {len(rows) - 1} scenarios, "
            f"{len(self.violations)} violations, {self.seconds:.1f} s"
        )
        return "\n".join([*lines, total])


def prove(rehearsal: Rehearsal, *, hits: int = 2, in_processes: bool = False) -> Proof:
    """Play every scenario of a saga, and again with a death at each crash point that is passed in it.

    A worker dies at the first and, in another performance, at the second passage of a point (*hits*); the next takes
    over when its lease has run out. Where a step is in trouble, it is at the points of that step, and once, in the
    last scenario of the saga, in which everything before the pivot is undone, at those of all others; the way there is
    that of the scenarios in which all goes well.

    A death is an exception that no step can catch; with *in_processes* it is that of a forked process, which takes its
    memory along: fakes in memory then know nothing of what came before. Needs a database without an open transaction.
    """
    if connection.in_atomic_block:
        raise RuntimeError("a crash rolls back real transactions: use transactional_db, or django_db(transaction=True)")
    saga = declared(rehearsal.saga)
    points = [point for one in rehearsal.family for point in one.crash_points()]
    proof = Proof(saga=saga.name, crash_points=points)
    started = perf_counter()
    scenarios = list(scenarios_of(saga))
    whole = [scenario for scenario in scenarios if scenario.saga in ("", saga.name)][-1]
    with Books().opened() as books, careless_of_power():
        for scenario in scenarios:
            proof.cases += _cases(
                rehearsal, scenario, books, _Choice(hits, everywhere=scenario == whole, in_processes=in_processes)
            )
    proof.seconds = perf_counter() - started
    return proof


@dataclass(frozen=True, slots=True)
class _Choice:
    """Which passages are worth a death."""

    hits: int
    _: KW_ONLY
    everywhere: bool
    in_processes: bool

    def deaths(self, scenario: Scenario, trace: list[str], since: int) -> Iterator[Moment]:
        """The passages from *since* on."""
        passages: Counter[str] = Counter()
        for index, point in enumerate(trace):
            passages[point] += 1
            first = 2 if scenario.stutters else 1  # the first passages are those of the scenario before
            if index >= since and first <= passages[point] <= self.hits and self._is_worth_it(scenario, point):
                yield Moment(point, passages[point])

    def _is_worth_it(self, scenario: Scenario, point: str) -> bool:
        saga, step, direction, _ = point.removeprefix("saga.").rsplit(".", 3)
        if scenario.trouble is Trouble.LATE and direction == Direction.DO:
            return False  # to a worker the same as no answer
        return scenario.trouble is None or self.everywhere or (saga, step) == (scenario.saga, scenario.step)


def _cases(rehearsal: Rehearsal, scenario: Scenario, books: Books, choice: _Choice) -> Iterator[Case]:
    life = Life()
    performance = Performance(rehearsal, scenario, books, life)
    yield _perform(performance, None)
    trouble_at = performance.cast.trouble_at
    if scenario.trouble is None or trouble_at is not None:
        since = max(0, (trouble_at or 0) - _INTENT)
        for death in choice.deaths(scenario, life.trace, since):
            if choice.in_processes:
                yield _perform_in_processes(rehearsal, scenario, death)
            else:
                yield _perform(Performance(rehearsal, scenario, books, Life(death)), death)


def _perform(performance: Performance, death: Moment | None) -> Case:
    """Play once, and judge."""
    stuck = []
    performance.empty()
    try:
        performance.run()
    except NotEnded as error:
        stuck.append(str(error))
    end, violations = judged(performance)
    return Case(
        scenario=performance.scenario,
        death=death,
        died=bool(performance.life.deaths),
        end=end,
        violations=(*stuck, *violations),
    )


def _perform_in_processes(rehearsal: Rehearsal, scenario: Scenario, death: Moment) -> Case:
    with TemporaryDirectory(prefix="bandstand-proof-") as folder:
        status, facts = processes.play(rehearsal, scenario, death, Path(folder))
    return Case(
        scenario=scenario,
        death=death,
        died=status == EXIT_STATUS,
        end=facts["end"],
        violations=tuple(facts["violations"]),
    )
