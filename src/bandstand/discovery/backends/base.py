"""The contract of a source of addresses."""

from abc import ABC, abstractmethod
from typing import ClassVar

__all__ = ["Resolver"]


class Resolver(ABC):
    """Tells where a service is. Cheap to ask for every call, and never raises because its source is down.

    A source that fails leaves the last known addresses in force; nothing is read before the first question.
    """

    name: ClassVar[str]

    @abstractmethod
    def resolve(self, service: str) -> tuple[str, ...]:
        """The base URLs of *service*, without a trailing slash; empty when it is not known."""

    def expire(self) -> None:  # noqa: B027 - a source without a cache has nothing to forget
        """Look at the source again at the next question: an address just failed."""
