"""Prometheus metrics, declared once wherever they are counted.

A declaration is idempotent, so a module that is loaded twice, or two modules that count the same thing, share one
metric. Labels are bounded sets: route templates, names of ours; never a path, never an identifier.
"""

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any, Literal, ParamSpec, TypeVar

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from bandstand import clock
from bandstand.config import environment, identity

__all__ = ["CONTENT_TYPE", "counter", "describe_service", "gauge", "histogram", "render", "track_execution_time"]

Aggregation = Literal["all", "liveall", "min", "livemin", "max", "livemax", "sum", "livesum", "mostrecent"]
P = ParamSpec("P")
R = TypeVar("R")
M = TypeVar("M", Counter, Gauge, Histogram)

CONTENT_TYPE = CONTENT_TYPE_LATEST
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

_declared: dict[str, Counter | Gauge | Histogram] = {}


def counter(name: str, doc: str, labels: Iterable[str] = ()) -> Counter:
    """Declare a counter; *name* ends in `_total`."""
    return _declare(name, Counter, tuple(labels), lambda names: Counter(name, doc, names))


def gauge(name: str, doc: str, labels: Iterable[str] = (), *, across_processes: Aggregation = "livesum") -> Gauge:
    """Declare a gauge; *across_processes* says how several processes' values become one (see prometheus-client)."""
    return _declare(
        name, Gauge, tuple(labels), lambda names: Gauge(name, doc, names, multiprocess_mode=across_processes)
    )


def histogram(name: str, doc: str, labels: Iterable[str] = (), *, buckets: Iterable[float] = SECONDS) -> Histogram:
    """Declare a histogram; *name* ends in its unit, `_seconds` for the default *buckets*."""
    bounds = tuple(buckets)
    return _declare(name, Histogram, tuple(labels), lambda names: Histogram(name, doc, names, buckets=bounds))


def _declare(name: str, kind: type[M], labels: tuple[str, ...], make: Callable[[tuple[str, ...]], M]) -> M:
    known = _declared.get(name)
    if known is None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series per child, which nothing reads
        known = _declared[name] = make(labels)
    if not isinstance(known, kind) or known._labelnames != labels:  # noqa: SLF001 - no public way to ask
        raise ValueError(f"metric {name} is declared already, as another kind or with other labels")
    return known


def track_execution_time(name: str, doc: str = "Execution time.") -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a function, plain or async, so that the histogram *name* counts its durations by `outcome`."""
    durations = histogram(name, doc, ("outcome",))

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def timed_async(*args: P.args, **kwargs: P.kwargs) -> Any:
                with _Timer(durations):
                    return await function(*args, **kwargs)

            return timed_async  # type: ignore[return-value]

        @functools.wraps(function)
        def timed(*args: P.args, **kwargs: P.kwargs) -> R:
            with _Timer(durations):
                return function(*args, **kwargs)

        return timed

    return decorate


class _Timer:
    def __init__(self, durations: Histogram) -> None:
        self._durations = durations

    def __enter__(self) -> None:
        self._started = clock.monotonic()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        outcome = "ok" if kind is None else "error"
        self._durations.labels(outcome).observe(clock.monotonic() - self._started)


def describe_service() -> None:
    """Set `service_info`, a constant 1 whose labels say who this is (an `Info` does not work in several processes)."""
    who = identity()
    labels = ("service", "version", "environment")
    info = gauge("service_info", "The service that these metrics describe.", labels, across_processes="livemax")
    info.labels(who.name, who.version, who.environment).set(1)


def render() -> bytes:
    """Write every metric in Prometheus' text format; under PROMETHEUS_MULTIPROC_DIR those of all processes."""
    describe_service()
    folder = environment().get("PROMETHEUS_MULTIPROC_DIR")
    if not folder:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=folder)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
