"""An ordinary project with Django's admin and this concern alone; prints what its pages answer."""

import sys

import django
from django.conf import settings

from bandstand.database import database_from_url

TEMPLATES = {
    "BACKEND": "django.template.backends.django.DjangoTemplates",
    "APP_DIRS": True,
    "OPTIONS": {
        "context_processors": [
            "django.template.context_processors.request",
            "django.contrib.auth.context_processors.auth",
            "django.contrib.messages.context_processors.messages",
        ]
    },
}


def configure(folder: str, *apps: str, urls: str = __name__) -> None:
    """As `startproject` would have it."""
    contrib = ("admin", "auth", "contenttypes", "sessions", "messages")
    settings.configure(
        SECRET_KEY="a-key-for-tests-only",
        ROOT_URLCONF=urls,
        USE_TZ=True,
        DEBUG=True,
        INSTALLED_APPS=[*(f"django.contrib.{name}" for name in contrib), "bandstand.events", *apps],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
        ],
        TEMPLATES=[TEMPLATES],
        DATABASES={"default": database_from_url(f"sqlite:///{folder}/project.sqlite3")},
    )
    django.setup()


def dead_letter():
    """One whose data does not fit its consumer."""
    from bandstand import clock
    from bandstand.events import Envelope, Event, consumer, registry
    from bandstand.events.models import DeadLetter

    class ThingMade(Event, name="project.thing_made.v1"):
        number: int

    @consumer(ThingMade)
    def picky(event, envelope): ...

    moment, key = clock.now(), clock.uuid7()
    texts = {
        "consumer": registry.consumers()[0].id,
        "type": "project.thing_made.v1",
        "subject": "a",
        "reason": "ValueError: no",
    }
    times = {"first_failed_at": moment, "died_at": moment}
    named = {"type": texts["type"], "source": "project", "subject": "a"}
    envelope = Envelope(id=key, time=moment, data=b'{"number":"one"}', **named).encoded().decode()
    return DeadLetter.objects.create(id=key, event_id=key, envelope=envelope, attempts=8, **texts, **times)


def visit() -> list[object]:
    """See a dead letter, edit it, replay it by the action, and try to discard it afterwards."""
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.test import Client
    from django.test.utils import setup_test_environment

    from bandstand.events.models import EventAction

    setup_test_environment()
    call_command("migrate", verbosity=0)
    letter = dead_letter()
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    base = "/admin/bandstand_events/deadletter/"
    one, trail = f"{base}{letter.pk}/change/", "/admin/bandstand_events/eventaction/"
    pages = [client.get(base), client.get(one), client.get(f"{base}add/"), client.get(trail)]
    refused = client.post(one, {"event_data": '{"number": "two"}', "note": ""})
    said = [*refused.context["adminform"].form.errors["event_data"]]
    client.post(one, {"event_data": '{"number": 1}', "note": "a typing error"})
    for action in ("replay", "discard"):
        done = client.post(base, {"action": action, "_selected_action": str(letter.pk), "note": "why not"}, follow=True)
        said += [str(message) for message in done.context["messages"]]
    letter.refresh_from_db()
    pages += [client.post(f"{trail}{EventAction.objects.first().pk}/change/", {"note": "never"}), client.get(one)]
    done = EventAction.objects.order_by("id").values_list("actor", "action", "note", "after")
    return [[page.status_code for page in pages], said, letter.state, list(done)]


if __name__ == "__main__":
    configure(sys.argv[1])
    from django.contrib import admin
    from django.urls import path

    urlpatterns = [path("admin/", admin.site.urls)]
    print(visit())
