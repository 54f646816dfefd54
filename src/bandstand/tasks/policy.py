"""How often a task is tried, with what pauses, and whether it is enqueued twice: declared on its function."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from bandstand.config import section
from bandstand.resilience.retry import RetryPolicy
from bandstand.tasks.config import TasksConfig

__all__ = ["Policy", "durable", "policy_of", "unique_key"]

F = TypeVar("F", bound=Callable[..., Any])
KeyOf = Callable[..., object]

_ATTRIBUTE = "_bandstand_policy"
_LONGEST_KEY = 200


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What a function declares; None means the setting. `deduplicate`: True for its arguments, or what names them."""

    attempts: int | None = None
    base: timedelta | None = None
    cap: timedelta | None = None
    deduplicate: bool | KeyOf = False


def durable(
    *,
    attempts: int | None = None,
    base: timedelta | None = None,
    cap: timedelta | None = None,
    deduplicate: bool | KeyOf = False,
) -> Callable[[F], F]:
    """Declare how a task's function is retried and made unique; stands below `@task`.

    It is tried *attempts* times in all, with exponential pauses from *base* to *cap* and full jitter. With
    *deduplicate*, enqueueing it while the same one has not ended yields that one: the same by its arguments, or by what
    the function given returns for them.
    """
    policy = Policy(attempts=attempts, base=base, cap=cap, deduplicate=deduplicate)

    def declare(function: F) -> F:
        setattr(function, _ATTRIBUTE, policy)
        return function

    return declare


def policy_of(function: Callable[..., Any]) -> RetryPolicy:
    """How *function* is retried."""
    declared: Policy = getattr(function, _ATTRIBUTE, Policy())
    config = section(TasksConfig)
    return RetryPolicy(
        attempts=config.attempts if declared.attempts is None else declared.attempts,
        base=config.retry_base if declared.base is None else declared.base,
        cap=config.retry_cap if declared.cap is None else declared.cap,
    )


def unique_key(path: str, function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]) -> str | None:
    """What no second unfinished task may have, or None where the task may stand in the queue any number of times."""
    deduplicate = getattr(function, _ATTRIBUTE, Policy()).deduplicate
    if deduplicate is False:
        return None
    named = (args, sorted(kwargs.items())) if deduplicate is True else deduplicate(*args, **kwargs)
    key = f"{path}:{named}"
    if len(key) <= _LONGEST_KEY:
        return key
    return f"{path[:100]}:{hashlib.sha256(key.encode()).hexdigest()}"
