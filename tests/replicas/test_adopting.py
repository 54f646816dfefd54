"""A copy that was kept by hand becomes a replica without losing what it knew, and could become one by hand again."""

from uuid import uuid4

import pytest
from django.db import connection, models
from django.db.migrations.state import ModelState, ProjectState
from django.db.models import Q

from bandstand.replicas.migrating import adopt
from bandstand.replicas.models import Mark


@pytest.fixture
def by_hand(transactional_db):
    """The apps as a migration sees them, with a table of the copy."""
    fields = [
        ("key", models.UUIDField(primary_key=True)),
        ("is_active", models.BooleanField()),
        ("sequence", models.BigIntegerField(default=0)),
    ]
    state = ProjectState()
    state.add_model(ModelState("project", "Copy", fields))
    state.add_model(ModelState.from_model(Mark))
    copy = state.apps.get_model("project", "Copy")
    with connection.schema_editor() as editor:
        editor.create_model(copy)
    yield state.apps
    with connection.schema_editor() as editor:
        editor.delete_model(copy)


def test_sequences_become_marks_and_what_was_gone_a_tombstone_and_back(by_hand):
    copy = by_hand.get_model("project", "Copy")
    kept, gone = uuid4(), uuid4()
    copy.objects.create(key=kept, is_active=True, sequence=7)
    copy.objects.create(key=gone, is_active=False, sequence=9)
    operation = adopt("project.copy", removed=Q(is_active=False))
    with connection.schema_editor() as editor:
        operation.code(by_hand, editor)
    marks = {mark.key: (mark.sequence, mark.removed_at is None) for mark in Mark.objects.filter(replica="project.copy")}
    assert marks == {str(kept): (7, True), str(gone): (9, False)}
    assert [row.key for row in copy.objects.all()] == [kept]
    copy.objects.update(sequence=0)
    with connection.schema_editor() as editor:
        operation.reverse_code(by_hand, editor)
    assert (copy.objects.get().sequence, Mark.objects.count()) == (7, 0)
