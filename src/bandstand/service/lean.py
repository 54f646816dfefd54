"""What a service does not load because it cannot use it."""

import sys

from bandstand.config import environment

__all__ = ["leave_postgresql_out"]

_FIELDS = "django.contrib.postgres.fields"


def leave_postgresql_out() -> None:
    """Load REST framework without PostgreSQL's fields where the database is none. Call it before Django is set up.

    It imports them, and through them the driver, wherever that is installed: measured at 0.08 s of CPU (a fifth of a
    start) and 6 MiB for each service. A module that asks for them later gets them.
    """
    if environment().get("DATABASE_URL", "").startswith("postgres") or _FIELDS in sys.modules:
        return
    sys.modules[_FIELDS] = None  # type: ignore[assignment]  # how Python spells "this import fails"
    try:
        import rest_framework.compat  # noqa: F401, PLC0415 - once loaded, it does not ask again
    finally:
        del sys.modules[_FIELDS]
