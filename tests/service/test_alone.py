"""Each concern works by itself in an ordinary Django project, without the settings call, the launcher or a fleet."""

import subprocess
import sys
from pathlib import Path

import pytest

SETTINGS = """
SECRET_KEY = "x" * 50
USE_TZ = True
ALLOWED_HOSTS = ["testserver"]
ROOT_URLCONF = "urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": "project.sqlite3"}}}}
INSTALLED_APPS = ["django.contrib.contenttypes", *{apps!r}]
MIDDLEWARE = {middleware!r}
{more}
"""
URLS = """
from django.http import HttpResponse
from django.urls import path

urlpatterns = [path("hello", lambda request: HttpResponse("hello"))]
"""
START = "import os, django; os.environ['DJANGO_SETTINGS_MODULE'] = 'settings'; django.setup()\n"


def run(
    folder: Path, program: str, *, apps: tuple[str, ...] = (), middleware: tuple[str, ...] = (), more: str = ""
) -> str:
    """Run *program* in a new Django project and return what it prints."""
    (folder / "settings.py").write_text(SETTINGS.format(apps=apps, middleware=middleware, more=more))
    (folder / "urls.py").write_text(URLS)
    command = [sys.executable, "-W", "error", "-c", START + program]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin"}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


def test_the_middleware_alone_gives_ids_and_probes(tmp_path: Path) -> None:
    program = """
from django.test import Client
answer = Client().get("/hello", headers={"X-Correlation-ID": "my-own-id-1"})
print(answer.content.decode(), answer["X-Correlation-ID"], Client().get("/livez").status_code)
"""
    printed = run(tmp_path, program, middleware=("bandstand.web.middleware.EdgeMiddleware",))
    assert printed == "hello my-own-id-1 200"


def test_events_alone_publish_from_an_ordinary_transaction(tmp_path: Path) -> None:
    program = """
from django.core.management import call_command
from django.db import connection, transaction
from bandstand.events import Event, NoTransaction, publish

class Paid(Event, name="billing.paid.v1", subject="invoice"):
    invoice: str

call_command("migrate", verbosity=0)
try:
    publish(Paid(invoice="1"))
except NoTransaction:
    with transaction.atomic():
        publish(Paid(invoice="1"))
with connection.cursor() as cursor:
    cursor.execute("SELECT type, subject, state FROM audit_outbox")
    print(*cursor.fetchone())
"""
    more = 'BANDSTAND = {"SERVICE": {"NAME": "billing"}}'
    printed = run(tmp_path, program, apps=("bandstand.events",), more=more)
    assert printed == "billing.paid.v1 1 pending"


def test_sagas_need_events_and_nothing_else(tmp_path: Path) -> None:
    program = """
from django.core.management import call_command
from django.db import transaction
from bandstand.events import Event, publish
from bandstand.sagas import Saga, SagaExecution, SagaStep

class Ordered(Event, name="billing.ordered.v1", subject="invoice"):
    invoice: str

class Bill(Saga):
    name = "bill"
    starts_on = Ordered
    steps = (SagaStep("write", do=lambda call: None, no_undo="it only writes a letter"),)

    def begin(self, event):
        return event.invoice, {}

call_command("migrate", verbosity=0)
with transaction.atomic():
    publish(Ordered(invoice="7"))
print(*SagaExecution.objects.values_list("type", "business_key")[0])
"""
    more = 'BANDSTAND = {"SERVICE": {"NAME": "billing"}}'
    assert run(tmp_path, program, apps=("bandstand.events", "bandstand.sagas"), more=more) == "bill 7"


def test_errors_and_strict_json_work_with_rest_framework_alone(tmp_path: Path) -> None:
    program = """
from django.test import RequestFactory
from rest_framework.permissions import AllowAny
from rest_framework.views import APIView

class Echo(APIView):
    authentication_classes = ()
    permission_classes = (AllowAny,)

    def post(self, request):
        return request.data

request = RequestFactory().post("/", data=b'{"a": 1, "a": 2}', content_type="application/json")
answer = Echo.as_view()(request)
answer = answer.render() if hasattr(answer, "render") else answer
print(answer.status_code, b"VALIDATION_ERROR" in answer.content)
"""
    more = "from bandstand.web.rest import rest_settings\nREST_FRAMEWORK = rest_settings()"
    assert run(tmp_path, program, more=more) == "400 True"


@pytest.mark.parametrize("transport", ["urllib3", "pyreqwest"])
def test_the_client_calls_any_url_without_an_app(tmp_path: Path, transport: str) -> None:
    program = """
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from bandstand.client import ExternalClient

class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"42")

    def log_message(self, *_):
        pass

server = HTTPServer(("127.0.0.1", 0), Page)
threading.Thread(target=server.handle_request, daemon=True).start()
print(ExternalClient(f"http://127.0.0.1:{server.server_port}", name="page").get("/", into=int).data)
server.server_close()
"""
    more = f'BANDSTAND = {{"CLIENT": {{"TRANSPORT": {transport!r}}}}}'
    assert run(tmp_path, program, more=more) == "42"
