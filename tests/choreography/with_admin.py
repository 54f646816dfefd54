"""An ordinary project with Django's admin and a choreography; prints what its pages answer."""

import sys

from tests.events.with_admin import configure


def visit() -> str:
    """See a journey, and try to add, change and delete one."""
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.test import Client

    from bandstand import clock
    from bandstand.sagas.choreography.models import ChoreographyWatch
    from tests.choreography.world import declare

    declare()
    call_command("migrate", verbosity=0)
    moment = clock.now()
    waiting_for = "carrier.parcel_collected.v1"
    told = {"name": "parcel_journey", "key": "p1", "state": "watching", "seen": "{}", "waiting_for": waiting_for}
    row = ChoreographyWatch.objects.create(**told, began_at=moment, moved_at=moment)
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    base = "/admin/bandstand_choreography/choreographywatch/"
    one = f"{base}{row.pk}/change/"
    pages = [client.get(base), client.get(one), client.get(f"{base}add/"), client.post(one, {"key": "p2"})]
    pages.append(client.post(f"{base}{row.pk}/delete/", {"post": "yes"}))
    return f"{[page.status_code for page in pages]} {'-&gt; waited for' in pages[1].content.decode()}"


if __name__ == "__main__":
    configure(sys.argv[1], "bandstand.sagas.choreography", urls=__name__)
    from django.contrib import admin
    from django.urls import path

    urlpatterns = [path("admin/", admin.site.urls)]
    print(visit())
