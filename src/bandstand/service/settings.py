"""A service's Django settings in one call: `globals().update(service_settings(name="orders", apps=["orders"]))`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import django

from bandstand.config import ConfigurationError, Fault
from bandstand.database.urls import database_from_url
from bandstand.observability.logging import logging_config
from bandstand.service.environment import ServiceEnvironment, load_environment
from bandstand.web.rest import rest_settings

__all__ = ["service_settings"]

_CONCERNS = ("bandstand.web", "bandstand.auth", "bandstand.events", "bandstand.service")
_TASKS_API = ("django_tasks",) if django.VERSION < (6, 0) else ()
_ADMIN_APPS = (
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.admin",
    "django.contrib.sessions",
    "django.contrib.messages",
)
_ADMIN_MIDDLEWARE = (
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
)


def service_settings(
    *, name: str, apps: Sequence[str], sections: dict[str, Any] | None = None, **overrides: Any
) -> dict[str, Any]:
    """Compose the settings of the service *name* from its environment.

    *apps* are the service's own (behind `bandstand.sagas`, `.sagas.choreography`, `.tasks`, `.replicas` as needed);
    *sections* are merged into `BANDSTAND`, *overrides* into the rest. Raises ConfigurationError naming every fault.
    """
    environment = load_environment(name=name)
    composed = {
        "SECRET_KEY": environment.django_key,
        "DEBUG": environment.debug,
        "ALLOWED_HOSTS": list(environment.allowed_hosts) or (["localhost", "127.0.0.1", "[::1]", "testserver"]),
        "ROOT_URLCONF": "bandstand.service.urls",
        "INSTALLED_APPS": _apps(environment, apps),
        "MIDDLEWARE": _middleware(environment),
        "DATABASES": {"default": _database(environment, name)},
        "DEFAULT_AUTO_FIELD": "django.db.models.BigAutoField",
        "USE_TZ": True,
        "TIME_ZONE": "UTC",
        "APPEND_SLASH": False,
        "LOGGING": logging_config(level=environment.log_level, format=environment.log_format),
        "LOGGING_CONFIG": "logging.config.dictConfig",
        "REST_FRAMEWORK": rest_settings(),
        **_tasks(environment, apps),
        "BANDSTAND": _sections(environment, name, sections or {}),
        **_admin(environment),
        **_hardening(environment),
    }
    return composed | overrides


def _apps(environment: ServiceEnvironment, apps: Sequence[str]) -> list[str]:
    admin = _ADMIN_APPS if environment.admin_enabled else ()
    return [*admin, *_CONCERNS, *_TASKS_API * ("bandstand.tasks" in apps), *apps]


def _tasks(environment: ServiceEnvironment, apps: Sequence[str]) -> dict[str, Any]:
    if "bandstand.tasks" not in apps:
        return {}
    backend: dict[str, Any] = {"BACKEND": "bandstand.tasks.backend.DurableBackend", "QUEUES": []}
    broker_url = environment.celery_broker_url.reveal()
    if broker_url:
        options = {"BROKER_URL": broker_url, "RESULT_BACKEND": environment.celery_result_backend.reveal()}
        backend |= {"BACKEND": "bandstand.tasks.celery.CeleryBackend", "OPTIONS": options}
    return {"TASKS": {"default": backend}}


def _middleware(environment: ServiceEnvironment) -> list[str]:
    admin = _ADMIN_MIDDLEWARE if environment.admin_enabled else ()
    return ["bandstand.web.middleware.EdgeMiddleware", "django.middleware.security.SecurityMiddleware", *admin]


def _database(environment: ServiceEnvironment, name: str) -> dict[str, Any]:
    url = environment.database_url or f"sqlite:///{Path.cwd() / '.bandstand' / 'db' / name}.sqlite3"
    try:
        database = database_from_url(url)
    except ValueError as error:
        raise ConfigurationError([Fault(variable="DATABASE_URL", problem=str(error))]) from None
    if database["ENGINE"] == "bandstand.database.sqlite":
        Path(database["NAME"]).parent.mkdir(parents=True, exist_ok=True)
        # Django would test in memory, where two threads cannot meet.
        database["TEST"] = {"NAME": f"{database['NAME']}.test"}
    return database


def _sections(environment: ServiceEnvironment, name: str, own: dict[str, Any]) -> dict[str, Any]:
    embedded = f"embedded:///{Path.cwd() / '.bandstand' / 'bus' / 'bus.sqlite3'}"
    registry = {"REGISTRY_FILE": environment.registry_file} if environment.registry_file else {}
    composed: dict[str, Any] = {
        "SERVICE": {
            "NAME": name,
            "VERSION": environment.version,
            "ENVIRONMENT": environment.environment,
            "INSTANCE": environment.instance or name,
        },
        "AUTH": {
            "SIGNING_KEY": environment.signing_key,
            "TRUST_FILE": environment.trust_file,
            "JWKS_URL": environment.jwks_url,
        },
        "DISCOVERY": registry,
        "EVENTS": {"BUS_URL": environment.bus_url or embedded, "EVENT_STORE": environment.event_store},
        "SAGAS": {"CONTEXT_KEYS": environment.saga_context_keys},
        "WEB": {"TRUSTED_PROXIES": environment.trusted_proxies},
    }
    for section, values in own.items():
        composed[section] = composed.get(section, {}) | values
    return composed


def _admin(environment: ServiceEnvironment) -> dict[str, Any]:
    if not environment.admin_enabled:
        return {}
    processors = ["django.contrib.auth.context_processors.auth", "django.contrib.messages.context_processors.messages"]
    return {
        "STATIC_URL": "/admin/static/",
        "TEMPLATES": [
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {"context_processors": ["django.template.context_processors.request", *processors]},
            }
        ],
    }


def _hardening(environment: ServiceEnvironment) -> dict[str, Any]:
    if not environment.is_production:
        return {}
    return {
        "SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https"),
        "SECURE_HSTS_SECONDS": 31_536_000,
        "SECURE_HSTS_INCLUDE_SUBDOMAINS": True,
        "SESSION_COOKIE_SECURE": True,
        "CSRF_COOKIE_SECURE": True,
    }
