"""How to go on when something else does not: policies without transport of their own."""

from bandstand.resilience.deadline import Deadline
from bandstand.resilience.retry import RetryPolicy
from bandstand.resilience.watched_file import WatchedFile

__all__ = ["Deadline", "RetryPolicy", "WatchedFile"]
