"""What each process of the fleet finds in its environment."""

import sys
from collections.abc import Mapping
from pathlib import Path

from bandstand.fleet.layout import DataFolder
from bandstand.fleet.manifest import Fleet

__all__ = ["bus_url", "database_url", "manage_command", "service_environment"]

# Set for each service alone; a value meant for one must not reach the others. Without bytecode each start would compile
# Django again, so a wish not to write any stays with the launcher.
_OWN = ("DATABASE_URL", "DJANGO_SETTINGS_MODULE", "PORT", "PYTHONDONTWRITEBYTECODE", "PYTHONHOME", "SECRET_KEY",
        "SERVICE_INSTANCE", "VIRTUAL_ENV")  # fmt: skip


def database_url(fleet: Fleet, data: DataFolder, service: str, outer: Mapping[str, str]) -> str:
    """The database of a service: `<SERVICE>_DATABASE_URL`, else the manifest's, else a file in the data folder."""
    default = f"sqlite:///{data.database(service)}"
    return outer.get(f"{service.upper()}_DATABASE_URL") or fleet.services[service].database or default


def bus_url(fleet: Fleet, data: DataFolder, outer: Mapping[str, str]) -> str:
    """The bus: `BUS_URL`, else the manifest's, else the embedded one in the data folder."""
    return outer.get("BUS_URL") or fleet.bus or f"embedded:///{data.bus}"


def service_environment(
    fleet: Fleet, data: DataFolder, service: str, *, outer: Mapping[str, str], urls: Mapping[str, str], instance: str
) -> dict[str, str]:
    """The environment of one process of *service*; *outer* is the launcher's, *urls* are the backing servers'."""
    kept = {name: value for name, value in outer.items() if name not in _OWN and not name.endswith("_DATABASE_URL")}
    local = {
        "SERVICE_ENVIRONMENT": "local",
        "LOG_FORMAT": "json",
        "LOG_LEVEL": "INFO",
        "ALLOWED_HOSTS": "localhost,127.0.0.1",
        "MIGRATE_ON_START": "true",
        "TRUSTED_PROXIES": "1",
    }
    path = [str(fleet.folder_of(service)), *filter(None, [outer.get("PYTHONPATH", "")])]
    return {
        **local,
        **kept,
        **urls,
        **fleet.services[service].env,
        "SERVICE_VERSION": fleet.version_of(service),
        "SERVICE_INSTANCE": instance,
        "DATABASE_URL": database_url(fleet, data, service, outer),
        "BUS_URL": bus_url(fleet, data, outer),
        "REGISTRY_FILE": str(data.registry),
        "SECRET_KEY_FILE": str(data.key(f"{service}.secret")),
        "AUTH_SIGNING_KEY_FILE": str(data.key(f"{service}.jwk")),
        "AUTH_TRUST_FILE": str(data.trust),
        "PAYMENT_WEBHOOK_SECRET_FILE": str(data.key("webhook.secret")),
        "EMAIL_FILE_PATH": str(data.mail),
        "BANDSTAND_DATA": str(data.root),
        "PYTHONPATH": ":".join(path),
    }


def manage_command(fleet: Fleet, service: str, *arguments: str) -> tuple[list[str], Path]:
    """The command line of a service's `manage.py`, and the folder to run it in."""
    return [sys.executable, "manage.py", *arguments], fleet.folder_of(service)
