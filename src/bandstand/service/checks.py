"""System checks of a composed service (`bandstand.E5xx`)."""

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from django.apps.config import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from bandstand.config import identity

__all__ = ["check_database_of_its_own", "check_django_version"]

_LEAST_DJANGO = (5, 2, 13)


@register
def check_django_version(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """Refuse a Django whose ASGI handler lets `X_Forged` pass for `X-Forged` (CVE-2026-3902)."""
    installed = tuple(int(part) for part in version("django").split(".")[:3] if part.isdigit())
    if installed >= _LEAST_DJANGO:
        return []
    hint = "Install Django 5.2.13, 6.0.4 or newer."
    return [Error(f"Django {version('django')} is too old.", hint=hint, id="bandstand.E501")]


@register
def check_database_of_its_own(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """Refuse a second database: another service's data is reached through its API or its events."""
    others = sorted(set(settings.DATABASES) - {"default"})
    if not others:
        return []
    hint = "A service owns one database. Ask the other service, or keep a replica fed by its events."
    return [Error(f"{identity().name} has further databases: {', '.join(others)}.", hint=hint, id="bandstand.E502")]
