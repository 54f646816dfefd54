"""The articles' `Saga` and a closed loop over it. Nobody resumes it after a crash."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from benchmarks.report import Figures
from benchmarks.sagas import shop
from benchmarks.sagas.loop import closed_loop

Context = dict[str, Any]


@dataclass(frozen=True)
class SagaStep:
    """A step and what takes it back."""

    name: str
    action: Callable[[Context], Context]
    compensation: Callable[[Context], Context]


class Saga:
    """Seven commits a saga: its row, each step, its end."""

    def __init__(self, saga_type: str) -> None:
        self.saga_type = saga_type
        self.steps: list[SagaStep] = []

    def execute(self, saga_id: str, initial_context: Context) -> bool:
        """Run from the step at hand to the end."""
        from benchmarks.sagas.articles.models import SagaExecution

        execution, created = SagaExecution.objects.get_or_create(
            saga_id=saga_id,
            defaults={"saga_type": self.saga_type, "status": "running", "context_data": initial_context},
        )
        if not created and execution.status in ("completed", "compensated"):
            return True
        try:
            context = execution.context_data.copy()
            for number, step in enumerate(self.steps[execution.current_step :], execution.current_step):
                context = step.action(context)
                execution.current_step = number + 1
                execution.context_data = context
                execution.save()
            execution.status = "completed"
            execution.save()
        except Exception as error:  # noqa: BLE001 - as written in the articles
            execution.error_message = str(error)
            self.compensate(execution)
            return False
        return True

    def compensate(self, execution: Any) -> None:
        """Take back what was done, latest first; a compensation that fails is passed over."""
        execution.status = "compensating"
        execution.save()
        context = execution.context_data
        for step in reversed(self.steps[: execution.current_step]):
            try:
                context = step.compensation(context)
            except Exception:  # noqa: BLE001 - as written in the articles
                continue
        execution.status = "compensated"
        execution.save()


def articles(database: str, clients: int, seconds: float) -> Figures:
    """A closed loop in the threads of the requests."""
    shop.configure(database=database, connections=clients + 1)
    saga = Saga("order_processing")
    saga.steps += [SagaStep(name, partial(shop.act, name), dict) for name in shop.STEPS]

    def one() -> None:
        assert saga.execute(str(uuid.uuid4()), shop.CONTEXT)

    return closed_loop(one, clients=clients, seconds=seconds)
