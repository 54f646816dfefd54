"""System checks of auth: every view has a policy, REST framework denies by default, the keys can be read.

REST framework is imported only when a check runs: a process that serves never needs this module's help.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, Tags, register
from django.urls import URLPattern, URLResolver, get_resolver

from bandstand.auth.config import AuthConfig
from bandstand.auth.keys import KeyRing
from bandstand.auth.policy import policy_of
from bandstand.config import section

__all__ = ["check_default_denial", "check_policies", "check_signing_key"]

View = Callable[..., Any]

_HINT = (
    "Give REST framework views `permission_classes` of bandstand.auth.rest, plain views @public or their own policy."
)


@register(Tags.security)
def check_policies(app_configs: Iterable[AppConfig] | None, **_: object) -> list[CheckMessage]:
    """Find every routed view that does not say who may call it."""
    return [
        Error(f"{route!r} ({_name(view)}) declares no policy.", hint=_HINT, id="bandstand.E101")
        for route, view in routed_views(get_resolver().url_patterns)
        if not _has_policy(view)
    ]


@register(Tags.security)
def check_default_denial(app_configs: Iterable[AppConfig] | None, **_: object) -> list[CheckMessage]:
    """Refuse a REST framework default that lets anybody in."""
    from rest_framework.settings import api_settings  # noqa: PLC0415

    defaults = list(api_settings.DEFAULT_PERMISSION_CLASSES)
    if not defaults or any(_opens(permission) for permission in defaults):
        return [
            Error(
                "REST framework's DEFAULT_PERMISSION_CLASSES do not deny.",
                hint="Set them to ['bandstand.auth.rest.Closed'].",
                id="bandstand.E102",
            )
        ]
    return []


@register(Tags.security)
def check_signing_key(app_configs: Iterable[AppConfig] | None, **_: object) -> list[CheckMessage]:
    """Refuse a signing key that cannot sign."""
    try:
        KeyRing.from_json(section(AuthConfig).private_keys)
    except ValueError as error:
        return [Error(f"AUTH_SIGNING_KEY: {error}.", id="bandstand.E103")]
    return []


def routed_views(patterns: Iterable[URLPattern | URLResolver], prefix: str = "") -> Iterator[tuple[str, View]]:
    """Every view of a URL conf with its route. Django's admin is left out: it guards itself."""
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            if pattern.app_name != "admin":
                yield from routed_views(pattern.url_patterns, route)
        else:
            yield route, pattern.callback


def _has_policy(view: View) -> bool:
    from rest_framework.views import APIView  # noqa: PLC0415

    cls = getattr(view, "cls", None)
    if not (isinstance(cls, type) and issubclass(cls, APIView)):
        return policy_of(view) is not None
    given = getattr(view, "initkwargs", {}).get("permission_classes")
    if given is None and not any("permission_classes" in vars(base) for base in cls.__mro__ if not _is_framework(base)):
        return False
    effective = list(cls.permission_classes if given is None else given)
    return bool(effective) and all(_is_policy(permission) for permission in effective)


def _is_framework(cls: type) -> bool:
    return cls.__module__.startswith("rest_framework.")


def _is_policy(permission: Any) -> bool:
    from rest_framework.permissions import OperandHolder, SingleOperandHolder  # noqa: PLC0415

    from bandstand.auth.rest import Policy  # noqa: PLC0415

    if isinstance(permission, SingleOperandHolder):
        return _is_policy(permission.op1_class)
    if isinstance(permission, OperandHolder):
        return _is_policy(permission.op1_class) and _is_policy(permission.op2_class)
    return isinstance(permission, type) and issubclass(permission, Policy)


def _opens(permission: Any) -> bool:
    return getattr(permission, "__name__", "") in ("AllowAny", "Public")


def _name(view: View) -> str:
    target = getattr(view, "cls", None) or getattr(view, "view_class", None) or view
    return f"{target.__module__}.{getattr(target, '__qualname__', type(target).__name__)}"
