"""A saga told step by step: what is ordered, what happens, and what is to be true then."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Self

from bandstand.sagas import Saga, SagaStatus
from bandstand.sagas.plan import base_of
from bandstand.sagas.protocol import Position, State
from bandstand.sagas.steps import Direction, Mode
from bandstand.testing.sagas.orders import Order

__all__ = ["Story"]

_MANY = 2_000


class Story(ABC):
    """One saga, from its beginning to wherever the test leads it. Every method returns the story itself."""

    def __init__(self, saga: Saga) -> None:
        self.saga = saga
        self.calls: list[str] = []
        """Every attempt of every step, in order, as `do reserve` and `undo reserve`."""
        self._orders: dict[tuple[str, Direction], Order] = {}

    # ---- what is ordered

    def when(self, step: str, *, returns: Any = None, refuses: str = "", unanswered: int = 0, unsent: int = 0) -> Self:
        """Order how *step*, or one unit of it such as `room:Rome`, comes out.

        First *unsent* attempts find nobody, then *unanswered* ones are done and lose their reply; then it *refuses* for
        a reason, or *returns* a value or what a function of the StepCall returns.
        """
        self._known(step)
        self._orders[step, Direction.DO] = Order(returns=returns, refuses=refuses, unanswered=unanswered, unsent=unsent)
        return self

    def when_undone(
        self, step: str, *, returns: Any = None, refuses: str = "", unanswered: int = 0, unsent: int = 0
    ) -> Self:
        """Order how the undo of *step* comes out; what it returns is of no use to the saga."""
        self._known(step)
        self._orders[step, Direction.UNDO] = Order(
            returns=returns, refuses=refuses, unanswered=unanswered, unsent=unsent
        )
        return self

    @abstractmethod
    def crash(self, step: str, *, direction: str = "do", moment: str = "after_call") -> Self:
        """Order that the worker dies at the next passage of this crash point, and another takes over."""

    # ---- what happens

    def runs(self) -> Self:
        """Go on, through all pauses between attempts, until the saga has ended or waits for somebody."""
        for _ in range(_MANY):
            self._drive()
            state = self.state
            if state.status.is_final or not self._is_trying(state):
                return self
            self._pass_time(None)
        raise AssertionError(f"the saga {self.saga.name} does not come to rest: {self.state}")

    def advance(self, by: timedelta) -> Self:
        """Let time pass, and do what is due then."""
        self._pass_time(by)
        return self.runs()

    @abstractmethod
    def hear(self, step: str, said: Any = None) -> Self:
        """Let *step* hear the event it waits for; a child saga is heard by a mapping, its context."""

    @abstractmethod
    def approve(self, step: str, *, by: str = "somebody") -> Self:
        """Approve."""

    @abstractmethod
    def reject(self, step: str, *, note: str = "", by: str = "somebody") -> Self:
        """Reject, for the reason *note*."""

    @abstractmethod
    def cancel(self) -> Self:
        """Wish the saga undone."""

    # ---- what is true then

    def then(
        self,
        *,
        status: SagaStatus | str | None = None,
        reason: str | None = None,
        waits_for: str | Iterable[str] | None = None,
        context: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> Self:
        """Assert what is true now; `done`, `undone` and `calls` are lists of steps in order, `context` some fields."""
        state = self.state
        expected: dict[str, tuple[Any, Any]] = {"status": (status, state.status), "reason": (reason, state.reason)}
        if waits_for is not None:
            wanted = {waits_for} if isinstance(waits_for, str) else set(waits_for)
            expected["waits_for"] = (wanted, {position.unit for position in state.at})
        for name, value in (context or {}).items():
            expected[f"context {name}"] = (value, _field(self.context, name))
        for name, units in more.items():
            expected[name] = (None if units is None else list(units), self._units(name))
        wrong = [
            f"{name} is {found!r}, not {value!r}"
            for name, (value, found) in expected.items()
            if value is not None and value != found
        ]
        if wrong:
            raise AssertionError(f"{'; '.join(wrong)}\ncalls: {', '.join(self.calls)}\nstate: {state}")
        return self

    @property
    @abstractmethod
    def state(self) -> State:
        """What the engine keeps."""

    @property
    @abstractmethod
    def context(self) -> Any:
        """The context as steps see it."""

    @property
    @abstractmethod
    def done(self) -> list[str]:
        """The steps that are done and not undone."""

    @property
    @abstractmethod
    def undone(self) -> list[str]:
        """The steps whose undo is confirmed, in this order."""

    # ---- for both kinds

    @abstractmethod
    def _drive(self) -> None: ...

    @abstractmethod
    def _pass_time(self, by: timedelta | None) -> None:
        """Let time pass; None: up to the next attempt."""

    def _order(self, unit: str, direction: Direction) -> Order | None:
        return self._orders.get((unit, direction)) or self._orders.get((base_of(unit), direction))

    def _known(self, step: str) -> None:
        if self.saga.step(base_of(step)) is None:
            raise LookupError(
                f"the saga {self.saga.name} has no step {step!r}; it has {', '.join(self.saga.plan.names)}"
            )

    def _is_trying(self, state: State) -> bool:
        return any(self._is_between_attempts(position, state) for position in state.at)

    def _is_between_attempts(self, position: Position, state: State) -> bool:
        leaf = self.saga.plan.leaf(position.unit)
        if leaf is None or position.next_at is None:
            return leaf is not None  # its worker has died with the call
        has_pause = leaf.mode in (Mode.CALL, Mode.LOCAL) or not position.attempt
        return has_pause or (state.direction is Direction.UNDO and position.next_at <= self._now())

    @abstractmethod
    def _now(self) -> Any: ...

    def _units(self, name: str) -> list[str]:
        if name not in ("done", "undone", "calls"):
            raise TypeError(f"then() knows nothing of {name!r}")
        units: list[str] = getattr(self, name)
        return units


def _field(context: Any, name: str) -> Any:
    return context.get(name) if isinstance(context, Mapping) else getattr(context, name)
