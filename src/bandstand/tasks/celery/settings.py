"""Celery's settings as they have to be for no task to be lost, and the checks that they are."""

from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from typing import Any

from celery import Celery
from django.core.checks import CheckMessage, Error

from bandstand.config import identity
from bandstand.tasks.api import BaseTaskBackend, task_backends
from bandstand.tasks.celery import propagation
from bandstand.tasks.celery.backend import CeleryBackend

__all__ = ["app_of", "celery_backends", "check_app", "queue_of", "safe_settings"]

_VISIBILITY = timedelta(hours=1)
"""After how long Redis hands out again what a worker took and did not acknowledge; longer than any task may take."""


def celery_backends() -> list[CeleryBackend]:
    """The backends of TASKS that hand over to Celery."""
    return [backend for backend in task_backends.all() if isinstance(backend, CeleryBackend)]


def app_of(backend: BaseTaskBackend) -> Celery:
    """The Celery application of a backend, with the signals that carry the context."""
    return _app(backend.alias)


@cache
def _app(alias: str) -> Celery:
    options = task_backends[alias].options
    app = Celery(f"{identity().name}.{alias}", set_as_current=False)
    app.conf.update(safe_settings(options["BROKER_URL"], results=options.get("RESULT_BACKEND", "")))
    app.conf.update(options.get("CONF", {}))
    propagation.connect()
    from bandstand.tasks.celery.running import register  # noqa: PLC0415 - it needs the application

    register(app)
    return app


def queue_of(queue_name: str) -> str:
    """The broker's queue for a queue of TASKS: services that share a broker keep apart."""
    return f"{identity().name}.tasks.{queue_name}"


def safe_settings(broker_url: str, *, results: str = "") -> dict[str, Any]:
    """Celery's settings under which the broker confirms, workers acknowledge late, and nothing is pickled."""
    redis = _is_redis(broker_url)
    transport = {"visibility_timeout": _VISIBILITY.total_seconds()} if redis else {"confirm_publish": True}
    return {
        "broker_url": broker_url,
        "broker_transport_options": transport,
        "broker_connection_retry_on_startup": True,
        "result_backend": results or None,
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "task_default_queue": queue_of("default"),
        "task_default_queue_type": "classic" if redis else "quorum",
        "task_create_missing_queue_type": "classic" if redis else "quorum",
        "task_serializer": "json",
        "result_serializer": "json",
        "accept_content": ["json"],
        "worker_detect_quorum_queues": True,
        "worker_prefetch_multiplier": 1,
        "worker_hijack_root_logger": False,
    }


def check_app(backend: CeleryBackend) -> Iterator[CheckMessage]:
    """What in the settings of a backend's application could lose a task."""
    if not backend.options.get("BROKER_URL"):
        hint = "OPTIONS needs BROKER_URL: amqp://… or redis://…"
        yield Error(f"The TASKS backend {backend.alias!r} names no broker.", hint=hint, id="bandstand.E411")
        return
    conf = app_of(backend).conf
    for name, safe, why in _demands(str(conf.broker_url)):
        found = conf.broker_transport_options.get(name) if name in _TRANSPORT else getattr(conf, name)
        if found != safe:
            yield Error(f"Celery's {name} is {found!r}: {why}.", hint=f"Set it to {safe!r}.", id="bandstand.E412")
    contents = {str(each).lower() for each in (conf.task_serializer, conf.result_serializer, *conf.accept_content)}
    if contents & {"pickle", "application/x-python-serialize"}:
        yield Error("Celery accepts pickle: who can write to the broker runs code in workers.", id="bandstand.E413")
    timeout = conf.broker_transport_options.get("visibility_timeout")
    if _is_redis(str(conf.broker_url)) and not timeout:
        yield Error("No visibility_timeout is set for Redis.", hint="More than any task may take.", id="bandstand.E414")


def _is_redis(url: str) -> bool:
    return url.startswith(("redis", "valkey"))


_TRANSPORT = {"confirm_publish"}


def _demands(broker_url: str) -> Iterator[tuple[str, object, str]]:
    yield "task_acks_late", True, "a task whose worker dies would be gone from the broker"
    yield "task_reject_on_worker_lost", True, "a task whose worker dies would be acknowledged"
    if broker_url.startswith(("amqp", "pyamqp")):
        yield "confirm_publish", True, "a message that the broker lost would count as sent"
        yield "worker_detect_quorum_queues", True, "a worker cannot limit what it takes from a quorum queue"
        yield "task_default_queue_type", "quorum", "a queue would live on one node only"
