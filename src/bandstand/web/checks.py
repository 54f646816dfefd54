"""System checks of the inbound edge (bandstand.E4xx)."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register

__all__ = ["check_mass_assignment", "check_middleware", "check_rest_framework", "check_slashes"]

_EDGE = "bandstand.web.middleware.EdgeMiddleware"


@register()
def check_middleware(app_configs: Iterable[AppConfig] | None, **_: object) -> list[CheckMessage]:
    """Refuse an EdgeMiddleware that others run before: they would answer without ids, log line and envelope."""
    installed = list(settings.MIDDLEWARE)
    if installed.count(_EDGE) > 1 or (_EDGE in installed and installed[0] != _EDGE):
        return [Error("EdgeMiddleware is not the first middleware.", hint="Name it once, first.", id="bandstand.E401")]
    return []


@register()
def check_slashes(app_configs: Iterable[AppConfig] | None, **_: object) -> list[CheckMessage]:
    """Refuse CommonMiddleware's redirects: a redirected POST arrives as a GET."""
    if settings.APPEND_SLASH and "django.middleware.common.CommonMiddleware" in settings.MIDDLEWARE:
        return [Error("APPEND_SLASH redirects requests.", hint="Set it to False; use routers.", id="bandstand.E402")]
    return []


@register()
def check_mass_assignment(app_configs: Iterable[AppConfig] | None, **_: object) -> list[CheckMessage]:
    """Refuse serializers that follow the model: the next column would be writable by everybody."""
    from bandstand.web.serializers import StrictModelSerializer  # noqa: PLC0415 - REST framework needs the apps ready

    return [
        Error(
            f"{cls.__module__}.{cls.__qualname__} does not name its fields.",
            hint="List them in Meta.fields; neither '__all__' nor exclude.",
            obj=cls,
            id="bandstand.E403",
        )
        for cls in _descendants(StrictModelSerializer)
        if hasattr(cls, "Meta") and not isinstance(getattr(cls.Meta, "fields", None), list | tuple)
    ]


@register()
def check_rest_framework(app_configs: Iterable[AppConfig] | None, **_: object) -> list[CheckMessage]:
    """Refuse REST framework without our exception handler: its errors would have a shape of their own."""
    configured = getattr(settings, "REST_FRAMEWORK", {}).get("EXCEPTION_HANDLER")
    if "rest_framework" in settings.INSTALLED_APPS and configured != "bandstand.web.problems.exception_handler":
        hint = "REST_FRAMEWORK = bandstand.web.rest.rest_settings()"
        return [Error("REST framework answers errors in its own shape.", hint=hint, id="bandstand.E404")]
    return []


def _descendants(cls: type[Any]) -> Iterator[type[Any]]:
    for each in cls.__subclasses__():
        yield each
        yield from _descendants(each)
