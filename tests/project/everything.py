"""Settings that install all services at once: only for the type checker, which has to know every model."""

from importlib.util import find_spec

from tests.project.settings import *  # noqa: F403 - the type checker reads it, nothing runs on it
from tests.project.settings import INSTALLED_APPS as _APPS

_SERVICES = ("users", "products", "inventory", "orders", "payments", "notifications")
INSTALLED_APPS = [*_APPS, *(name for name in _SERVICES if find_spec(f"{name}.models"))]
