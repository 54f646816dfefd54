"""Around the requests: who becomes staff, the seed, the hashes of each environment, the loops, the cost in queries."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client, override_settings

from bandstand.auth import revocation
from bandstand.lifecycle import registered_loops
from bandstand.testing.clock import held_clock
from bandstand.testing.facts import Facts
from users import commands
from users.config import PasswordHasher, UsersConfig
from users.models import LinkMail, Session, User

pytestmark = pytest.mark.django_db
PASSWORD = "four-Strings-0f-gut"


def test_the_seed_makes_two_people_once_and_revives_nobody(facts: Facts) -> None:
    call_command("seed", stdout=StringIO())
    assert list(User.objects.order_by("username").values_list("email", "is_staff", "is_verified")) == [
        ("demo@example.com", False, True),
        ("staff@example.com", True, True),
    ]
    assert not LinkMail.objects.exists(), "they are verified"
    assert len(facts()) == 2
    commands.delete_user(user_id=User.objects.get(username="demo").pk)
    facts()
    call_command("seed", "--json", stdout=StringIO())
    assert (User.objects.count(), facts()) == (2, [])
    assert commands.log_in(email="staff@example.com", password="staff-Passw0rd!").user.roles == ["staff"]


def test_the_seed_is_refused_in_production(settings: Any) -> None:
    service = {**settings.BANDSTAND["SERVICE"], "ENVIRONMENT": "production"}
    with (
        override_settings(BANDSTAND={**settings.BANDSTAND, "SERVICE": service}),
        pytest.raises(CommandError, match="production"),
    ):
        call_command("seed")
    assert not User.objects.exists()


def test_withdrawing_the_role_ends_the_tokens_that_say_it(ada: User, facts: Facts) -> None:
    for action in ("grant", "grant"):
        call_command("staff", action, "ADA@example.com", stdout=StringIO())
    commands.log_in(email=ada.email, password=PASSWORD)
    facts()
    for _ in range(2):
        call_command("staff", "withdraw", ada.email, stdout=StringIO())
    assert [name for name, _ in facts()] == ["access_revoked.v1"]
    assert not Session.objects.filter(ended_at=None).exists()
    with pytest.raises(CommandError, match="nobody"):
        call_command("staff", "grant", "nobody@example.com")


def settings_in(environment: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """What a process of the service says about its hashers in an environment."""
    trust = folder / "trust.json"
    trust.write_text("{}")
    production = {
        "SECRET_KEY": "k" * 40,
        "ALLOWED_HOSTS": "users",
        "DATABASE_URL": f"sqlite:///{folder}/users.sqlite3",
        "BUS_URL": f"embedded:///{folder}/bus.sqlite3",
        "AUTH_SIGNING_KEY": "{}",
        "AUTH_TRUST_FILE": str(trust),
    }
    program = "from users import settings; print(settings.PASSWORD_HASHERS[0])"
    env = {**os.environ, **production, "SERVICE_ENVIRONMENT": environment, **variables}
    return subprocess.run(
        [sys.executable, "-c", program], env=env, cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(("environment", "hasher"), [
    ("production", "users.config.PasswordHasher"),
    ("staging", "users.config.PasswordHasher"),
    ("local", "users.config.PasswordHasher"),
    ("test", "django.contrib.auth.hashers.MD5PasswordHasher"),
])  # fmt: skip
def test_only_tests_hash_cheaply_and_no_variable_changes_that(tmp_path: Path, environment: str, hasher: str) -> None:
    ran = settings_in(environment, tmp_path, USERS_FAST_HASHING="1", EMAIL_HOST="mail")
    assert ran.stdout.split() == [hasher], ran.stderr


def test_production_does_not_print_secret_links_into_its_log(tmp_path: Path) -> None:
    refused = settings_in("production", tmp_path)
    assert refused.returncode
    assert "EMAIL_HOST" in refused.stderr


def test_the_real_hash_is_argon2id_with_the_recommended_cost() -> None:
    encoded = PasswordHasher().encode(PASSWORD, "c2FsdHNhbHRzYWx0")
    assert encoded.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")
    assert PasswordHasher().verify(PASSWORD, encoded)


def test_a_password_set_by_a_weaker_hash_lets_nobody_in(ada: User) -> None:
    with override_settings(PASSWORD_HASHERS=["users.config.PasswordHasher"]), pytest.raises(Exception, match="wrong"):
        commands.log_in(email=ada.email, password=PASSWORD)


def test_every_loop_beats_and_ends_when_asked() -> None:
    for name in ("link-mails", "sessions"):
        stop = threading.Event()
        stop.set()
        registered_loops()[name]().run(stop)


def test_what_each_request_costs_in_statements(
    client: Client, join: Callable[..., User], django_assert_num_queries: Any
) -> None:
    """Within the test's own transaction each `atomic` is two statements more: its savepoint and the release."""
    body = {"username": "ada", "email": "ada@example.com", "password": PASSWORD}

    def cost(number: int, path: str, **body: str) -> Any:
        with django_assert_num_queries(number):
            return client.post(path, body, content_type="application/json").json()

    with held_clock():  # the revocations are read again every five seconds
        revocation.refresh()
        cost(4 + 2 * 2, "/api/v1/users/", **body)
        pair = cost(4 + 2, "/api/v1/auth/token/", email="ada@example.com", password=PASSWORD)
        cost(5 + 2, "/api/v1/auth/token/refresh/", refresh=pair["refresh"])
        cost(0, "/api/v1/auth/token/verify/", token=pair["access"])


def test_the_cost_and_defaults_are_what_the_documentation_says() -> None:
    config = UsersConfig()
    assert (config.session_lifetime.days, config.reuse_grace.seconds, config.link_lifetime.days) == (30, 10, 1)
    assert config.private_registration is False
