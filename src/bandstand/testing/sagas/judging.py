"""Whether what the participants have done is what the log says, for every saga that has ended."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from bandstand.sagas import Saga, SagaStatus, SagaStep
from bandstand.sagas.participant.protocol import KeyState
from bandstand.sagas.plan import base_of
from bandstand.sagas.protocol import Outcome
from bandstand.sagas.steps import Direction, Leaf, SagaCommand
from bandstand.testing.sagas.cast import Books
from bandstand.testing.sagas.rehearsal import Finished, Performance, declared_by_name
from bandstand.testing.sagas.rewriting import declared

__all__ = ["judged"]


def judged(performance: Performance) -> tuple[str, list[str]]:
    """How the saga of a performance has ended, and all that is wrong with it and its children."""
    rehearsal, found = performance.rehearsal, performance.finished()
    violations = list(performance.cast.faults)
    for finished in found:
        saga = declared_by_name(rehearsal.family, finished.saga.type)
        if saga is not None:
            violations += _violations(saga, finished, performance.books, rehearsal.invariants)
    name = declared(rehearsal.saga).name
    return next((one.saga.status for one in found if one.saga.type == name), "not ended"), violations


def _violations(
    saga: Saga, finished: Finished, books: Books, invariants: Sequence[Callable[[Finished], object]]
) -> Iterator[str]:
    yield from _end(saga, finished, books)
    yield from _history(finished)
    for unit in dict.fromkeys(line.step for line in finished.log if line.step):
        leaf = saga.plan.leaf(unit)
        if leaf is not None:
            yield from _unit(leaf, unit, finished, books)
    for invariant in invariants:
        yield from _broken(invariant, finished)


def _end(saga: Saga, finished: Finished, books: Books) -> Iterator[str]:
    status = SagaStatus(finished.saga.status)
    if not status.is_final:
        yield f"it has not ended: {status}"
    followed = books.noted(str(finished.saga.pk), "ended")
    if type(saga).ended is not Saga.ended and followed != 1:
        yield f"its end was followed up {followed} times"


def _history(finished: Finished) -> Iterator[str]:
    """An outcome has its intent before it, and nothing is done once the undoing has begun."""
    intended: set[tuple[str, str, int]] = set()
    is_back = False
    for line in finished.log:
        is_back = is_back or line.direction == Direction.UNDO
        if is_back and line.direction == Direction.DO:
            yield f"{line.step} was done after the undoing had begun"
        attempt = (line.step, line.direction, line.attempt)
        if line.outcome == Outcome.INTENT:
            intended.add(attempt)
        elif line.attempt and attempt not in intended:
            yield f"{line.direction} {line.step} {line.outcome}, and was never intended"


def _unit(leaf: Leaf, unit: str, finished: Finished, books: Books) -> Iterator[str]:
    key = f"{finished.saga.pk}:{unit}"
    is_done = unit in finished.done
    if is_done and leaf.is_undone and finished.saga.status != SagaStatus.COMPLETED:
        yield f"{unit} was done and not undone, and the saga is {finished.saga.status}"
    if isinstance(leaf, SagaStep) and leaf.local:
        yield from _local(key, is_done, books)
    elif isinstance(leaf, SagaStep | SagaCommand):
        yield from _remote(leaf, key, is_done, finished, books)


def _local(key: str, is_done: bool, books: Books) -> Iterator[str]:
    undone = books.noted(key, Direction.UNDO)
    done = books.noted(key, Direction.DO)
    if done > 1 or undone > 1:
        yield f"{key} was committed {done} times, and undone {undone} times"
    if done - undone != int(is_done):
        yield f"the log says {_said(is_done)} of {key}; committed {done} times, undone {undone} times"


def _remote(leaf: Leaf, key: str, is_done: bool, finished: Finished, books: Books) -> Iterator[str]:
    participant = books.participant(base_of(leaf.name))
    effects = participant.effects(key)
    may_stay = not leaf.is_undone and finished.saga.status != SagaStatus.COMPLETED and _is_unsettled(key, finished)
    if effects != int(is_done) and not (may_stay and effects == 1):
        yield f"the log says {_said(is_done)} of {key}, and its participant has {effects} effects"
    undone = any(
        line.key == key and line.direction == Direction.UNDO and line.outcome == Outcome.OK for line in finished.log
    )
    is_settled_by_query = isinstance(leaf, SagaStep) and leaf.query is not None
    if undone and not is_settled_by_query and participant.query(key) is not KeyState.CANCELLED:
        yield f"the log says undone of {key}, and its participant keeps no tombstone"


def _is_unsettled(key: str, finished: Finished) -> bool:
    """Whether the log leaves open how an attempt came out: what needs no undo may then have happened unnoticed."""
    said = [line.outcome for line in finished.log if line.key == key and line.direction == Direction.DO]
    settled = sum(outcome in (Outcome.OK, Outcome.REFUSED, Outcome.FAILED) for outcome in said)
    return said.count(Outcome.INTENT) > settled


def _said(is_done: bool) -> str:
    return "done" if is_done else "not done"


def _broken(invariant: Callable[[Finished], Any], finished: Finished) -> Iterator[str]:
    name = getattr(invariant, "__name__", "an invariant").strip("<>")
    try:
        said = invariant(finished)
    except AssertionError as error:
        said = str(error) or "does not hold"
    if said is not None and said is not True:
        yield f"{name}: {said or 'does not hold'}"
