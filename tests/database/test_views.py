"""Views write ids and times the same way on every engine."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from django.db import connection, migrations, models
from django.db.migrations.state import ProjectState

from bandstand.database.views import CreateView, Dialect

VIEW = CreateView("noted", lambda sql: f"SELECT {sql.uuid('id')} AS id, {sql.time('at')} AS at FROM tests_note")


@pytest.mark.django_db(transaction=True)
def test_a_view_shows_dashed_ids_and_utc_times_and_can_be_taken_back():
    fields = [("id", models.UUIDField(primary_key=True)), ("at", models.DateTimeField(null=True))]
    table = migrations.CreateModel("Note", fields, {"db_table": "tests_note"})
    before, after = ProjectState(), ProjectState()
    table.state_forwards("project", after)
    key = UUID("0198f2b4-7c11-7f00-8a4b-0123456789ab")
    with connection.schema_editor() as editor:
        table.database_forwards("project", editor, before, after)
        VIEW.database_forwards("project", editor, after, after)
    note = after.apps.get_model("project", "Note")
    note.objects.create(id=key, at=datetime(2026, 5, 1, 12, 30, 0, 250_000, tzinfo=UTC))
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, at FROM noted")
        assert cursor.fetchall() == [(str(key), "2026-05-01T12:30:00.250000Z")]
    with connection.schema_editor() as editor:
        VIEW.database_backwards("project", editor, after, after)
        table.database_backwards("project", editor, after, before)
    assert not {"noted", "tests_note"} & set(connection.introspection.table_names(include_views=True))


def test_postgresql_gets_its_own_expressions():
    sql = Dialect("postgresql")
    assert sql.uuid("id") == "(id)::text"
    assert "AT TIME ZONE 'UTC'" in sql.time("at")
