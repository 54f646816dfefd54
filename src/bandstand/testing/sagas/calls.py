"""The remote calls of a saga worker that is turned by hand."""

from collections.abc import Callable

__all__ = ["CallsByHand"]


class CallsByHand:
    """Calls wait here until the test makes, delays or loses them."""

    def __init__(self) -> None:
        self.jobs: list[Callable[[], None]] = []

    def submit(self, job: Callable[[], None], lane: str) -> None:  # noqa: ARG002 - here nobody waits
        """Keep the call."""
        self.jobs.append(job)

    def run(self) -> bool:
        """Make the oldest call that waits; False when there is none."""
        if not self.jobs:
            return False
        self.jobs.pop(0)()
        return True

    def close(self) -> None:
        """Nothing to close."""
