"""The TASKS backend whose rows the loop `celery` hands to a broker."""

from collections.abc import Iterable
from typing import Any, ClassVar

from django.core.checks import CheckMessage, Error

from bandstand.tasks.backend import DurableBackend

__all__ = ["CeleryBackend"]


class CeleryBackend(DurableBackend):
    """Enqueues as the durable backend does; Celery's workers run the functions.

    `OPTIONS` holds `BROKER_URL` and, where Celery's own results are wanted, `RESULT_BACKEND`; `CONF` may hold further
    settings of Celery.
    """

    carrier: ClassVar[str] = "celery"

    def check(self, **kwargs: Any) -> Iterable[CheckMessage]:
        """Whether Celery is there, and its settings lose nothing."""
        try:
            from bandstand.tasks.celery.settings import check_app  # noqa: PLC0415 - needs Celery
        except ImportError:
            hint = "Install the extra: pip install 'bandstand[celery]'."
            return [Error(f"The TASKS backend {self.alias!r} needs Celery.", hint=hint, id="bandstand.E410")]
        return [*super().check(**kwargs), *check_app(self)]
