"""An ordinary project with Django's admin and sagas; prints what its pages answer to people with few permissions."""

import sys

from tests.events.with_admin import configure

BASE = "/admin/bandstand_sagas/sagaexecution/"


def sagas():
    """A worker that has taken one saga to its approval; behind it a step that never gets an answer."""
    from datetime import timedelta

    from bandstand.sagas import Approval, Saga, SagaStep, StepKind, host, starting
    from bandstand.sagas.config import SagasConfig
    from bandstand.sagas.runner import Runner
    from bandstand.testing.sagas import CallsByHand

    def lose(call):
        raise TimeoutError("no <answer>")

    class Travel(Saga):
        name = "travel"
        deadline = timedelta(hours=1)
        steps = [
            SagaStep("quote", do=lambda call: {"price": 42}, no_undo="reads only"),
            Approval("manager", permission="auth.view_group"),
            SagaStep("book", kind=StepKind.PIVOT, do=lose),
        ]

        def begin(self, event):
            return event, {"who": event}

    worker = Runner(config=SagasConfig(), pool=CallsByHand())
    host.install_worker(worker)  # which then hears at once what is said, however seldom it looks

    def drive():
        for _ in range(20):
            worker.turn()
            worker._pool.run()

    saga_id = starting.start(Travel, "ada")
    drive()
    return saga_id, drive


def people():
    """One client for each person: root may do everything, the others only what their permissions say."""
    from django.contrib.auth.models import Permission, User
    from django.test import Client

    clients = {"root": Client()}
    clients["root"].force_login(User.objects.create_superuser("root"))
    for name, codes in {
        "guest": [],
        "reader": ["view_sagaexecution"],
        "clerk": ["view_sagaexecution", "annotate_saga", "approve_saga", "resolve_saga"],
        "manager": ["view_sagaexecution", "view_group", "resolve_saga"],
    }.items():
        user = User.objects.create_user(name, is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=codes))
        clients[name] = Client()
        clients[name].force_login(user)
    return clients


class Visit:
    """One saga and those who look at it and act on it."""

    def __init__(self):
        self.clients = people()
        self.saga_id, self.drive = sagas()
        self.page = f"{BASE}{self.saga_id}/change/"
        self.found = {}

    def said(self, name, **form):
        """What the page answers: its messages, or a status that is not 200."""
        answer = self.clients[name].post(self.page, form, follow=True)
        if answer.status_code != 200:
            return answer.status_code
        return [str(message) for message in answer.context["messages"]]

    def text(self, url):
        return self.clients["reader"].get(url).content.decode()

    def buttons(self, name):
        return [value for value, _ in self.clients[name].get(self.page).context["deeds"]]

    def look(self):
        found = self.found
        found["seen"] = {name: client.get(self.page).status_code for name, client in self.clients.items()}
        found["list"] = "waits for approval manager by someone with auth.view_group" in self.text(BASE)
        found["buttons"] = {name: self.buttons(name) for name in ("reader", "clerk", "manager")}

    def act(self):
        from django.test import Client

        unsafe = Client(enforce_csrf_checks=True).post(self.page, {"deed": "annotate", "note": "x"})
        self.found["unsafe"] = unsafe.status_code
        notes = {"reader": "x", "clerk": "<b>call</b> first"}
        self.found["annotated"] = [self.said(name, deed="annotate", note=note) for name, note in notes.items()]
        self.found["annotated"].append(self.said("clerk", deed="annotate", note=""))
        self.found["in code"] = self.in_code()
        self.found["approved"] = [self.said(name, deed="approve") for name in ("clerk", "manager")]
        self.drive()
        expected = ("&lt;b&gt;call&lt;/b&gt; first", "no &lt;answer&gt;", "unknown: book", "&quot;price&quot;: 42")
        self.found["shown"] = [text in self.text(self.page) for text in expected]

    def in_code(self):
        from django.contrib.auth.models import User

        from bandstand.errors import PermissionDenied
        from bandstand.sagas import approve

        try:
            return approve("travel", "ada", user=User.objects.get(username="clerk")).says
        except PermissionDenied as error:
            return error.message

    def resolve(self):
        from bandstand.sagas.models import SagaExecution, SagaSignal

        said, persons = self.said, ("reader", "clerk", "manager", "manager")
        self.found["proposed"] = said("clerk", deed="resolve:happened", step="book", note="seen at the desk")
        (proposal,) = SagaSignal.objects.filter(proposed=True).values_list("pk", flat=True)
        self.found["confirmed"] = [said(name, deed="confirm", proposal=proposal) for name in persons]
        self.drive()
        self.found["ended"] = [SagaExecution.objects.get(pk=self.saga_id).status, self.buttons("root")]

    def tidy(self):
        from bandstand.sagas.models import SagaSignal

        bulk = {"action": "annotate", "_selected_action": str(self.saga_id), "note": "all well"}
        answer = self.clients["clerk"].post(BASE, bulk, follow=True)
        self.found["bulk"] = [str(message) for message in answer.context["messages"]]
        trail = SagaSignal.objects.order_by("id").values_list("name", "said_by", "seconded_by", "note")
        self.found["trail"] = list(trail)
        root = self.clients["root"]
        self.found["never"] = [root.get(f"{BASE}add/").status_code]
        self.found["never"].append(root.post(f"{BASE}{self.saga_id}/delete/").status_code)


def visit():
    """See the list and a saga; annotate, approve, resolve by two persons; try what is not permitted."""
    from django.core.management import call_command
    from django.test.utils import setup_test_environment

    setup_test_environment()
    call_command("migrate", verbosity=0)
    visited = Visit()
    for part in (visited.look, visited.act, visited.resolve, visited.tidy):
        part()
    return visited.found


if __name__ == "__main__":
    configure(sys.argv[1], "bandstand.sagas", urls=__name__)
    from django.contrib import admin
    from django.urls import path

    urlpatterns = [path("admin/", admin.site.urls)]
    print(visit())
