"""I6: what the saga's log says and what the participants hold is the same."""

from collections.abc import Iterator
from dataclasses import dataclass

from bandstand.chaos.audit.facts import FINAL_SAGA, Facts, Saga, SagaStep
from bandstand.chaos.audit.invariants.violation import Violation

__all__ = ["effects", "keys", "orders"]

_RESERVE, _CAPTURE, _COMMIT = "reserve_stock", "capture_payment", "commit_stock"
_FITTING = {
    "completed": {"confirmed"},
    "compensated": {"rejected", "cancelled"},
    "cancelled": {"rejected", "cancelled"},
}


@dataclass(frozen=True, kw_only=True)
class _Story:
    """What the log says of one step: whether it was done, undone, or may have happened without the log knowing."""

    is_done: bool
    is_undone: bool
    is_open: bool


def orders(facts: Facts) -> Iterator[Violation]:
    """I6: every order has its saga, and both tell the same end."""
    for order in facts.orders:
        saga = facts.saga_of_order.get(order.order_id)
        if saga is None:
            yield Violation(what="an order without a saga", subject=order.order_id, order_id=order.order_id)
        elif order.status not in _FITTING.get(saga.state, {"pending"}):
            yield _about(saga, f"the saga is {saga.state}, the order {order.status}")
    for order_id in facts.saga_of_order.keys() - facts.order_by_id.keys():
        yield Violation(what="a saga without an order", subject=order_id, order_id=order_id)


def keys(facts: Facts) -> Iterator[Violation]:
    """I6: no participant holds a key that no saga has logged."""
    logged = {step.key for step in facts.steps}
    held = [("inventory", line.key, line.order_id) for line in facts.reservations]
    held += [("payments", payment.key, payment.order_id) for payment in facts.payments]
    held += [("the provider", charge.key, charge.reference) for charge in facts.charges]
    for holder, key, order_id in dict.fromkeys(held):
        if key not in logged:
            yield Violation(what=f"{holder} holds a key that no saga logged", subject=key, order_id=order_id or "")


def effects(facts: Facts) -> Iterator[Violation]:
    """I6: a step logged done is applied, one logged undone is not, and a saga that ended leaves no step open."""
    for saga in facts.saga_of_order.values():
        if saga.state not in FINAL_SAGA:
            continue
        steps = facts.steps_of_saga.get(saga.saga_id, [])
        for name in (_RESERVE, _CAPTURE):
            entries = [step for step in steps if step.step == name]
            if entries:
                yield from _step(facts, saga, entries)
        if saga.state == "completed" and not {_RESERVE, _CAPTURE, _COMMIT} <= {each.step for each in steps}:
            yield _about(saga, "the saga is completed and steps are missing in its log")


def _step(facts: Facts, saga: Saga, entries: list[SagaStep]) -> Iterator[Violation]:
    name, key, story = entries[0].step, entries[0].key, _story(entries)
    state = _state_of(facts, name, key)
    applied = state in {"held", "committed", "captured"}
    if len({entry.key for entry in entries}) > 1:
        yield _about(saga, f"{name} was tried under several keys")
    if story.is_open:
        yield _about(saga, f"the saga ended while the outcome of {name} is unknown")
    elif story.is_undone and (applied or state == "absent"):
        yield _about(saga, f"{name} is logged as undone, the participant says {state}")
    elif story.is_done and not story.is_undone and not applied:
        yield _about(saga, f"{name} is logged as done, the participant says {state}")
    elif not story.is_done and applied:
        yield _about(saga, f"{name} is not logged as done, the participant says {state}")
    if saga.state == "completed" and name == _RESERVE and state != "committed":
        yield _about(saga, f"the saga is completed, its reservation is {state}")
    if saga.state != "completed" and applied:
        yield _about(saga, f"the saga is {saga.state}, {name} is {state}")


def _story(entries: list[SagaStep]) -> _Story:
    done = [entry.outcome for entry in entries if entry.direction == "do"]
    undone = any(entry.direction == "undo" and entry.outcome == "ok" for entry in entries)
    settled = undone or "ok" in done or "refused" in done
    sent = {entry.attempt for entry in entries if entry.direction == "do"}
    not_sent = {entry.attempt for entry in entries if entry.direction == "do" and entry.outcome == "failed"}
    return _Story(is_done="ok" in done, is_undone=undone, is_open=not settled and bool(sent - not_sent))


def _state_of(facts: Facts, step: str, key: str) -> str:
    if step == _RESERVE:
        return next((line.state for line in facts.reservations_by_key.get(key, [])), "absent")
    return facts.payment_by_key[key].state if key in facts.payment_by_key else "absent"


def _about(saga: Saga, what: str) -> Violation:
    return Violation(what=what, subject=saga.saga_id, order_id=saga.business_key)
