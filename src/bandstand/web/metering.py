"""The metrics of requests, named as in the articles, with labels that no client can multiply."""

import contextlib
import functools
from collections import deque
from collections.abc import Iterable

from prometheus_client import REGISTRY, Counter, Histogram, Metric
from prometheus_client.registry import Collector

from bandstand.config import environment
from bandstand.observability import metrics

__all__ = ["enter", "leave", "observe"]

_BATCH = 64


class _Pending(Collector):
    """Requests not yet counted: counting many at once costs a third of counting each when it ends.

    Registered before the metrics it feeds, so every scrape of the registry, ours or another's, counts them first.
    """

    def __init__(self) -> None:
        self._requests: deque[tuple[str, str, int, float]] = deque()
        self.in_flight: deque[None] = deque()
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        # The files of several processes are read by whichever one is scraped: nothing may wait in memory.
        self._batch = 1 if environment().get("PROMETHEUS_MULTIPROC_DIR") else _BATCH

    def add(self, method: str, route: str, status: int, seconds: float) -> None:
        self._requests.append((method, route, status, seconds))
        if len(self._requests) >= self._batch:
            self.count()

    def count(self) -> None:
        active.set(len(self.in_flight))
        numbers: dict[Counter, int] = {}
        with contextlib.suppress(IndexError):  # nothing waits any more, or another thread took the last one
            while True:
                method, route, status, seconds = self._requests.popleft()
                counter, histogram = self._children_of(method, route, status)
                numbers[counter] = numbers.get(counter, 0) + 1
                histogram.observe(seconds)
        for counter, number in numbers.items():
            counter.inc(number)

    def _children_of(self, method: str, route: str, status: int) -> tuple[Counter, Histogram]:
        found = self._children.get((method, route, status))
        if found is None:
            found = requests.labels(method, route, str(status)), durations.labels(method, route)
            self._children[method, route, status] = found
        return found

    def describe(self) -> Iterable[Metric]:
        """Nothing of its own: registering must not collect."""
        return []

    def collect(self) -> Iterable[Metric]:
        """Count what waits; the metrics themselves follow in the registry."""
        self.count()
        return []


_pending = _Pending()
REGISTRY.register(_pending)

requests = metrics.counter("http_requests_total", "Requests answered.", ("method", "endpoint", "status"))
durations = metrics.histogram("http_request_duration_seconds", "Time to answer.", ("method", "endpoint"))
active = metrics.gauge("active_connections", "Requests in flight.")


# A deque grows and shrinks atomically, where a gauge would take its lock twice per request.
enter = functools.partial(_pending.in_flight.append, None)
"""Count a request as in flight."""
leave = _pending.in_flight.pop
"""Count it no longer."""
observe = _pending.add
"""Count one answered request: method, route template, status, seconds."""
