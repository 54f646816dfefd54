"""A process that dies between the claim and the answer leaves neither an effect nor a key that is blocked for ever."""

import os
import subprocess
import sys
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client

from bandstand import clock
from bandstand.testing.clock import held_clock
from bandstand.web.models import IdempotencyClaim
from tests.project.models import Product

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls("tests.web.api")]

HEADERS = {"Idempotency-Key": "key-0001", "X-Caller": "alice"}

# The request of a client whose server is killed at the given moment.
DYING = """
import os, signal, sys
from tests.project import settings
settings.DATABASES["default"]["NAME"], settings.ROOT_URLCONF = sys.argv[1], "tests.web.api"
import django
django.setup()
from django.db.models.signals import post_save
from django.test import Client
from bandstand.web import idempotency
from tests.project.models import Product

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

if sys.argv[2] == "before the effect":
    idempotency.Claim.answering = die
elif sys.argv[2] == "after the effect":
    post_save.connect(die, sender=Product)
else:
    idempotency.Claim.release = die
Client().post("/orders/", "{}", "application/json", headers=%r)
"""


def die(moment: str) -> None:
    name = str(connection.settings_dict["NAME"])
    command = [sys.executable, "-c", DYING % HEADERS, name, moment]
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.project.settings", "PYTHONPATH": "."}
    assert subprocess.run(command, env=environment, check=False).returncode == -9


def again() -> tuple[int, str]:
    response = Client().post("/orders/", "{}", "application/json", headers=HEADERS)
    return response.status_code, response.get("Idempotency-Replayed", "")


@pytest.mark.parametrize("moment", ["before the effect", "after the effect"])
def test_the_key_is_free_again_when_the_lease_has_run_out(moment: str) -> None:
    die(moment)
    assert (Product.objects.count(), IdempotencyClaim.objects.get().status) == (0, None)
    assert again()[0] == 409
    with held_clock(clock.now() + timedelta(seconds=31)):
        assert again() == (202, "")
        assert again() == (202, "true")
    assert Product.objects.count() == 1


def test_after_the_commit_the_answer_is_there_though_nobody_heard_it() -> None:
    die("after the commit")
    assert Product.objects.count() == 1
    assert again() == (202, "true")
    assert Product.objects.count() == 1
