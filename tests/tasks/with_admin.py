"""An ordinary project with Django's admin and tasks; prints what becomes of a failed task by whom."""

import sys

from tests.events.with_admin import configure


def visit() -> str:
    """Let one who may only look try to retry a task, then one who may."""
    from django.contrib.auth.models import Permission, User
    from django.core.management import call_command
    from django.test import Client

    from bandstand import clock
    from bandstand.tasks.models import TaskRow

    call_command("migrate", verbosity=0)
    moment = clock.now()
    texts = {"task": "t", "backend": "default", "carrier": "tasks", "queue": "default", "arguments": "{}"}
    row = TaskRow.objects.create(**texts, priority=0, state="failed", enqueued_at=moment, finished_at=moment)
    onlooker = User.objects.create_user("onlooker", is_staff=True)
    onlooker.user_permissions.add(Permission.objects.get(codename="view_taskrow"))
    found = []
    for user in (onlooker, User.objects.create_superuser("root")):
        client = Client()
        client.force_login(user)
        wish = {"action": "retry", "_selected_action": str(row.pk)}
        answer = client.post("/admin/bandstand_tasks/taskrow/", wish, follow=True)
        row.refresh_from_db()
        found.append(f"{user.username}: {answer.status_code} {row.state}")
    return ", ".join(found)


if __name__ == "__main__":
    configure(sys.argv[1], "bandstand.tasks", urls=__name__)
    from django.contrib import admin
    from django.urls import path

    urlpatterns = [path("admin/", admin.site.urls)]
    print(visit())
