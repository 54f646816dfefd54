"""Making a replica of a copy that was kept by hand."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from django.db.migrations import RunPython
from django.db.models import Q

from bandstand import clock

__all__ = ["adopt"]

_AT_ONCE = 1_000


def adopt(replica: str, *, sequence: str = "sequence", removed: Q | None = None) -> RunPython:
    """A migration operation that moves the sequences of the rows of *replica* (`app.model`) to its marks.

    Rows that *removed* describes become tombstones and go. The column *sequence* may be removed afterwards. Reversing
    writes the sequences back; what was removed does not return. Depend on `("bandstand_replicas", "0001_initial")`.
    """
    app, _, model = replica.partition(".")

    def mark(apps: Any, editor: Any) -> None:
        using = editor.connection.alias
        rows = apps.get_model(app, model)._base_manager.using(using)  # noqa: SLF001 - Django documents it
        marks = apps.get_model("bandstand_replicas", "Mark").objects.using(using)
        now = clock.now()
        gone = rows.filter(removed) if removed else rows.none()
        kept = rows.exclude(pk__in=gone.values("pk"))
        for found, removed_at in ((kept, None), (gone, now)):
            for chunk in _chunks(found.values_list("pk", sequence)):
                facts = {"replica": replica, "applied_at": now, "removed_at": removed_at}
                marks.bulk_create([marks.model(key=str(key), sequence=number, **facts) for key, number in chunk])
        gone.delete()

    def unmark(apps: Any, editor: Any) -> None:
        using = editor.connection.alias
        rows = apps.get_model(app, model)._base_manager.using(using)  # noqa: SLF001 - Django documents it
        marks = apps.get_model("bandstand_replicas", "Mark").objects.using(using).filter(replica=replica)
        for chunk in _chunks(marks.filter(removed_at=None).values_list("key", "sequence")):
            for key, number in chunk:
                rows.filter(pk=key).update(**{sequence: number})
        marks.delete()

    return RunPython(mark, unmark)


def _chunks(found: Any) -> Iterator[list[tuple[Any, int]]]:
    rows = found.iterator(_AT_ONCE)
    while chunk := list(islice(rows, _AT_ONCE)):
        yield chunk
