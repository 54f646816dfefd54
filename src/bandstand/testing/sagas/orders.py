"""How a step comes out in a story: what was ordered of it, attempt by attempt."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bandstand.errors import ServiceConnectionError, ServiceTimeoutError
from bandstand.sagas import StepCall, StepRefused

__all__ = ["ALWAYS", "Order"]

ALWAYS = 1_000_000
"""More attempts than any story has."""


@dataclass(kw_only=True)
class Order:
    """The outcomes of a step, one attempt after the other: never sent, then without an answer, then the answer."""

    returns: Any = None
    refuses: str = ""
    unanswered: int = 0
    unsent: int = 0

    def meet(self, call: StepCall, act: Callable[[StepCall], Any] | None = None) -> Any:
        """Come out as ordered; where something happens, it is *act*, unless the order says what is returned."""
        if self.unsent > 0:
            self.unsent -= 1
            raise ServiceConnectionError("no connection", sent=False)
        if self.unanswered > 0:
            self.unanswered -= 1
            self._happen(call, act)
            raise ServiceTimeoutError("no answer")
        if self.refuses:
            raise StepRefused(self.refuses)
        return self._happen(call, act)

    def _happen(self, call: StepCall, act: Callable[[StepCall], Any] | None) -> Any:
        if self.returns is None and act is not None:
            return act(call)
        return self.returns(call) if callable(self.returns) else self.returns
