"""What an invariant says when it does not hold."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bandstand.chaos.audit.facts import Facts

__all__ = ["Check", "Violation"]


@dataclass(frozen=True, kw_only=True)
class Violation:
    """One place where an invariant is broken: *what*, at which *subject* (an id or key), for which order if any."""

    what: str
    subject: str
    order_id: str = ""


Check = Callable[[Facts], Iterator[Violation]]
