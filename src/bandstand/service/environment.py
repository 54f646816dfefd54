"""What every service reads from its environment, and what production refuses."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bandstand.config import ConfigurationError, Fault, Secret, load, setting

__all__ = ["ServiceEnvironment", "load_environment"]

_LOCAL_KEY = "local-only-not-a-secret"
_LEAST_KEY_LENGTH = 32


@dataclass(frozen=True, kw_only=True)
class ServiceEnvironment:
    """The variables of any service. Only a developer's machine (`local`) and tests (`test`) have easy defaults."""

    environment: str = setting(
        "production", variable="SERVICE_ENVIRONMENT", text="local, test, or anything else: production rules apply"
    )
    version: str = setting("0", variable="SERVICE_VERSION", text="stands on every log line, span and event")
    instance: str = setting("", variable="SERVICE_INSTANCE", text="names this process among its replicas")
    debug: bool = setting(default=False, variable="DEBUG", text="Django's debug pages; refused in production")
    secret_key: Secret = setting(Secret(""), variable="SECRET_KEY", text="Django's signing key, 32 characters or more")
    allowed_hosts: tuple[str, ...] = setting((), variable="ALLOWED_HOSTS", text="host names this service answers to")
    database_url: str = setting("", variable="DATABASE_URL", text="sqlite:////path or postgres://user:pw@host/name")
    bus_url: str = setting("", variable="BUS_URL", text="the event bus; embedded:////path for the built-in one")
    event_store: str = setting(
        "", variable="EVENT_STORE", text="a second bus that keeps events for longer than the bus"
    )
    celery_broker_url: Secret = setting(
        Secret(""), variable="CELERY_BROKER_URL", text="let Celery run this service's tasks, over this broker"
    )
    celery_result_backend: Secret = setting(
        Secret(""), variable="CELERY_RESULT_BACKEND", text="keep Celery's own results here as well"
    )
    registry_file: Path | None = setting(None, variable="REGISTRY_FILE", text="where the launcher lists live services")
    signing_key: Secret = setting(Secret(""), variable="AUTH_SIGNING_KEY", text="this service's private key, a JWK")
    trust_file: Path | None = setting(None, variable="AUTH_TRUST_FILE", text="public keys of the services trusted")
    jwks_url: str = setting("", variable="AUTH_JWKS_URL", text="public keys of the issuer of user tokens")
    saga_context_keys: Secret = setting(
        Secret(""), variable="SAGA_CONTEXT_KEYS", text="keys for sensitive fields of sagas; the first writes, all read"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = setting("INFO", variable="LOG_LEVEL", text="least level")
    log_format: Literal["json", "console"] = setting("json", variable="LOG_FORMAT", text="json, or one line for people")
    trusted_proxies: int = setting(0, variable="TRUSTED_PROXIES", text="proxies in front that append to the client ip")
    admin_enabled: bool = setting(default=False, variable="ADMIN_ENABLED", text="serve Django's admin at /admin/")
    migrate_on_start: bool = setting(default=False, variable="MIGRATE_ON_START", text="migrate before serving")

    @property
    def is_production(self) -> bool:
        """Whether the strict rules apply."""
        return self.environment not in ("local", "test")

    @property
    def django_key(self) -> str:
        """The signing key; a known one only where nothing is at stake."""
        return self.secret_key.reveal() or ("" if self.is_production else _LOCAL_KEY)


def load_environment(*, name: str) -> ServiceEnvironment:
    """Read and judge the environment of the service *name*. Raises ConfigurationError naming every fault."""
    found = load(ServiceEnvironment)
    faults = list(_insecure(found)) if found.is_production else []
    if faults:
        faults.append(Fault(variable="SERVICE_ENVIRONMENT", problem=f"{name} runs as {found.environment!r}"))
        raise ConfigurationError(faults)
    return found


def _insecure(found: ServiceEnvironment) -> Iterator[Fault]:
    key = found.secret_key.reveal()
    if found.debug:
        yield Fault(variable="DEBUG", problem="is on", expected="off in production")
    if key == _LOCAL_KEY or len(key) < _LEAST_KEY_LENGTH:
        expected = f"{_LEAST_KEY_LENGTH} random characters or more"
        yield Fault(variable="SECRET_KEY", problem="is missing, well known or short", expected=expected)
    if not found.allowed_hosts or "*" in found.allowed_hosts:
        yield Fault(variable="ALLOWED_HOSTS", problem="is empty or names every host", expected="the hosts served")
    if not found.database_url:
        yield Fault(variable="DATABASE_URL", problem="is not set", expected="this service's own database")
    if not found.bus_url:
        yield Fault(variable="BUS_URL", problem="is not set", expected="the event bus")
    if not found.signing_key:
        yield Fault(variable="AUTH_SIGNING_KEY", problem="is not set", expected="this service's private JWK")
    if found.trust_file is None or not found.trust_file.is_file():
        yield Fault(variable="AUTH_TRUST_FILE", problem="is not set or no file", expected="public keys of the services")
