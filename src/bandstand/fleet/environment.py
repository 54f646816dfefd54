"""What each process of the fleet finds in its environment."""

import sys
from collections.abc import Mapping
from pathlib import Path

from bandstand.fleet.databases import database_name, database_of, is_server, own_database
from bandstand.fleet.layout import DataFolder
from bandstand.fleet.manifest import Fleet

__all__ = ["bus_url", "database_url", "given_urls", "manage_command", "service_environment"]

_PLACES = ("BUS_URL", "DATABASE_URL", "EVENT_STORE")

# Set for each service alone; a value meant for one must not reach the others. Without bytecode each start would compile
# Django again, so a wish not to write any stays with the launcher.
_OWN = ("DATABASE_URL", "DJANGO_SETTINGS_MODULE", "PORT", "PYTHONDONTWRITEBYTECODE", "PYTHONHOME", "SECRET_KEY",
        "SERVICE_INSTANCE", "VIRTUAL_ENV")  # fmt: skip


def database_url(fleet: Fleet, data: DataFolder, service: str, outer: Mapping[str, str]) -> str:
    """The database of a service: its own variable, else the fleet's server, the manifest, a file in the data folder."""
    own, server = outer.get(own_database(service)), outer.get("DATABASE_URL", "")
    if not own and is_server(server):
        own = database_of(server, database_name(server, fleet.name, service))
    return own or fleet.services[service].database or f"sqlite:///{data.database(service)}"


def given_urls(outer: Mapping[str, str]) -> dict[str, str]:
    """What the launcher's environment says about databases and buses, for the verbs that are run in another one."""
    return {name: value for name, value in outer.items() if name in _PLACES or name.endswith("_DATABASE_URL")}


def bus_url(fleet: Fleet, data: DataFolder, outer: Mapping[str, str]) -> str:
    """The bus: `BUS_URL`, else the manifest's, else the embedded one in the data folder."""
    return outer.get("BUS_URL") or fleet.bus or f"embedded:///{data.bus}"


def service_environment(
    fleet: Fleet, data: DataFolder, service: str, *, outer: Mapping[str, str], urls: Mapping[str, str], instance: str
) -> dict[str, str]:
    """The environment of one process of *service*; *outer* is the launcher's, *urls* is what the launcher found."""
    found = {**outer, **urls}
    kept = {name: value for name, value in found.items() if name not in _OWN and not name.endswith("_DATABASE_URL")}
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
        **fleet.services[service].env,
        "SERVICE_VERSION": fleet.version_of(service),
        "SERVICE_INSTANCE": instance,
        "DATABASE_URL": database_url(fleet, data, service, found),
        "BUS_URL": bus_url(fleet, data, found),
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
