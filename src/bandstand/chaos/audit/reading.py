"""Gather the facts: audit views of every service, the provider's ledger, the declared consumers, a client's journal."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urljoin

import msgspec
import urllib3

from bandstand.chaos.audit import facts as f
from bandstand.chaos.audit.databases import Database, DatabaseUnreadable, opened
from bandstand.clock import now

__all__ = ["FactsUnreadable", "gather", "read_charges", "read_consumers", "read_journal"]

R = TypeVar("R", bound=f.Row)

# field of Facts → (service, rows); what every service has is read in a loop of its own
_OF_SERVICE: dict[str, tuple[str, type[f.Row]]] = {
    "orders": ("orders", f.Order),
    "history": ("orders", f.HistoryEntry),
    "sagas": ("orders", f.Saga),
    "steps": ("orders", f.SagaStep),
    "statistics": ("orders", f.Statistic),
    "catalogue_replica": ("orders", f.CatalogueEntry),
    "stock": ("inventory", f.Stock),
    "reservations": ("inventory", f.Reservation),
    "payments": ("payments", f.Payment),
    "catalogue": ("products", f.CatalogueEntry),
    "availability": ("products", f.Availability),
}
_OF_EACH: dict[str, type[f.Row]] = {"outbox": f.OutboxRow, "inbox": f.InboxRow, "dead_letters": f.DeadLetter}


class FactsUnreadable(Exception):
    """A file that was named cannot be used; the message says which line and why."""


def gather(
    status: Mapping[str, Any],
    *,
    consumers: Mapping[str, Iterable[str]] | None,
    journal: Iterable[f.JournalEntry] | None = None,
    expected_dead: int = 0,
) -> f.Facts:
    """Read everything that *status* (the document of `bandstand status --json`) leads to.

    A database, view or provider that cannot be read is named in `absent`, never left out silently.
    """
    found: dict[str, Any] = {name: [] for name in _OF_SERVICE} | {name: {} for name in _OF_EACH}
    absent = {f"{service}.{kind.view}" for service, kind in _OF_SERVICE.values() if service not in status["services"]}
    for service, entry in status["services"].items():
        try:
            with opened(entry["database"]) as database:
                absent |= _read(service, database, found)
        except DatabaseUnreadable:
            absent |= {f"{service}.{kind.view}" for owner, kind in _OF_SERVICE.values() if owner == service}
            absent |= {f"{service}.{kind.view}" for kind in _OF_EACH.values()}
    try:
        found["charges"] = read_charges(status["provider"]) if status.get("provider") else []
    except (urllib3.exceptions.HTTPError, ValueError):
        found["charges"] = None
    absent |= {"provider"} if not status.get("provider") or found["charges"] is None else set()
    absent |= ({"consumers"} if consumers is None else set()) | ({"journal"} if journal is None else set())
    return f.Facts(
        **{**found, "charges": found["charges"] or []},
        at=now(),
        consumers={name: list(types) for name, types in (consumers or {}).items()},
        journal=list(journal or ()),
        expected_dead=expected_dead,
        absent=frozenset(absent),
    )


def _read(service: str, database: Database, found: dict[str, Any]) -> set[str]:
    absent = set()
    for name, kind in _OF_EACH.items():
        found[name][service] = database.rows(kind) if database.has(kind.view) else []
        absent |= set() if database.has(kind.view) else {f"{service}.{kind.view}"}
    for name, (owner, kind) in _OF_SERVICE.items():
        if owner == service and database.has(kind.view):
            found[name] = database.rows(kind)
        elif owner == service:
            absent.add(f"{service}.{kind.view}")
    return absent


def read_charges(provider: str) -> list[f.Charge]:
    """Every charge that the provider lists. Raises urllib3's HTTPError, or ValueError for what is not the protocol."""
    pool = urllib3.PoolManager(retries=urllib3.Retry(3, backoff_factor=0.2), timeout=10.0)
    charges: dict[str, f.Charge] = {}  # one that changes between two pages comes twice
    address: str | None = f"{provider.rstrip('/')}/v1/charges"
    while address:
        answer = pool.request("GET", address)
        if answer.status != 200:
            raise ValueError(f"the provider answered {answer.status}")
        page = json.loads(answer.data)
        charges.update((each.key, each) for each in msgspec.convert(page["results"], list[f.Charge]))
        address = urljoin(address, page["next"]) if page.get("next") else None
    return list(charges.values())


def read_consumers(path: Path) -> dict[str, list[str]] | None:
    """Read which consumer takes which types of event; None when the file is not there. Raises FactsUnreadable."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, list[str]])
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, OSError) as error:
        raise FactsUnreadable(f"{path}: {error}") from error


def read_journal(path: Path) -> list[f.JournalEntry]:
    """Read a client's journal. Raises FactsUnreadable naming the line; a torn last line counts as never written."""
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except OSError as error:
        raise FactsUnreadable(str(error)) from error
    entries = []
    for number, line in enumerate(lines, start=1):
        try:
            entries.append(msgspec.json.decode(line, type=f.JournalEntry))
        except msgspec.DecodeError as error:
            if number == len(lines) and not line.endswith(b"\n"):
                break
            raise FactsUnreadable(f"{path}, line {number}: {error}") from error
    return entries
