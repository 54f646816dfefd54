"""Forgetting sagas that ended long ago, with or without an archive."""

import gzip
import os
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any
from uuid import UUID

import msgspec
from django.db import transaction

from bandstand import clock
from bandstand.errors import Conflict
from bandstand.sagas.models import SagaExecution, SagaSignal, SagaStepLog

__all__ = ["purge", "purge_batch"]

_BATCH = 500


def purge(*, older_than: timedelta, archive: Path | None = None) -> int:
    """Delete the sagas that ended longer ago than *older_than*, with their history; returns how many.

    In batches of a transaction each, so that nothing else waits. A saga that has not ended is never deleted. With
    *archive* each is first written to that file, a line of JSON each in gzip, as it is stored: what is sealed stays
    sealed. A batch is on the disk before it is deleted. Raises Conflict when the file exists.
    """
    before = clock.database_now() - older_than
    if archive is None:
        return _purge(before, None)
    try:
        file = archive.open("xb")
    except FileExistsError:
        raise Conflict(f"{archive} exists already: name another file") from None
    with file:
        _sync_folder(archive)
        return _purge(before, file)


def purge_batch(before: datetime, *, limit: int = _BATCH, archive: IO[bytes] | None = None) -> int:
    """Delete up to *limit* sagas that ended before a moment; returns how many."""
    ended = SagaExecution.objects.filter(lease_until=None, updated_at__lt=before, pk__lt=_first_id(before))
    rows = list(ended.order_by("pk")[:limit])
    ids = [row.pk for row in rows]
    if not ids:
        return 0
    if archive is not None:
        _write(rows, archive)
    with transaction.atomic():
        SagaStepLog.objects.filter(saga_id__in=ids).delete()
        SagaSignal.objects.filter(saga_id__in=ids).delete()
        SagaExecution.objects.filter(pk__in=ids, lease_until=None).delete()
    return len(ids)


def _first_id(moment: datetime) -> UUID:
    """The smallest id of a saga begun then: what ended earlier was begun earlier, and the ids have an index."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


def _purge(before: datetime, archive: IO[bytes] | None) -> int:
    total = 0
    while number := purge_batch(before, archive=archive):
        total += number
    return total


def _write(rows: Iterable[SagaExecution], file: IO[bytes]) -> None:
    """Each batch is a gzip member of its own: what was synced can be read whatever becomes of the next."""
    found = {row.pk: {"saga": _values(row), "log": [], "signals": []} for row in rows}
    _gather(found, "log", SagaStepLog.objects.filter(saga_id__in=found).order_by("id"))
    _gather(found, "signals", SagaSignal.objects.filter(saga_id__in=found).order_by("id"))
    file.write(gzip.compress(b"".join(msgspec.json.encode(one) + b"\n" for one in found.values())))
    file.flush()
    os.fsync(file.fileno())


def _gather(found: Mapping[UUID, dict[str, Any]], name: str, rows: Iterable[SagaStepLog | SagaSignal]) -> None:
    for row in rows:
        found[row.saga_id][name].append(_values(row))


def _values(row: SagaExecution | SagaStepLog | SagaSignal) -> dict[str, Any]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}  # noqa: SLF001 - Django's documented way


def _sync_folder(file: Path) -> None:
    folder = os.open(file.absolute().parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
