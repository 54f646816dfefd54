"""Production refuses what is insecure and names each fault; a developer's machine needs nothing."""

from pathlib import Path

import pytest

from bandstand.config import ConfigurationError
from bandstand.sagas.config import SagasConfig
from bandstand.service.environment import load_environment
from bandstand.service.settings import service_settings


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for variable in ("SERVICE_ENVIRONMENT", "SECRET_KEY", "DEBUG", "ALLOWED_HOSTS", "DATABASE_URL", "BUS_URL"):
        monkeypatch.delenv(variable, raising=False)


def test_an_empty_production_environment_is_refused_with_every_fault_named() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_environment(name="orders")
    named = {fault.variable for fault in caught.value.faults}
    assert named >= {"SECRET_KEY", "ALLOWED_HOSTS", "DATABASE_URL", "BUS_URL", "AUTH_SIGNING_KEY", "AUTH_TRUST_FILE"}


def test_debug_a_known_key_and_open_hosts_are_refused_in_production(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBUG", "true")
    monkeypatch.setenv("SECRET_KEY", "local-only-not-a-secret")
    monkeypatch.setenv("ALLOWED_HOSTS", "*")
    with pytest.raises(ConfigurationError) as caught:
        load_environment(name="orders")
    named = {fault.variable for fault in caught.value.faults}
    assert named >= {"DEBUG", "SECRET_KEY", "ALLOWED_HOSTS"}
    assert "local-only" not in str(caught.value)


def test_a_complete_production_environment_is_accepted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    trust = tmp_path / "trust.json"
    trust.write_text("{}")
    complete = {
        "SECRET_KEY": "x" * 50,
        "ALLOWED_HOSTS": "shop.example.com",
        "DATABASE_URL": "postgres://orders:pw@db/orders",
        "BUS_URL": "embedded:////var/lib/bus.sqlite3",
        "AUTH_SIGNING_KEY": "{}",
        "AUTH_TRUST_FILE": str(trust),
    }
    for variable, value in complete.items():
        monkeypatch.setenv(variable, value)
    assert load_environment(name="orders").is_production


def test_a_developers_machine_needs_no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVICE_ENVIRONMENT", "local")
    environment = load_environment(name="orders")
    assert environment.django_key
    assert not environment.is_production


def test_the_keys_of_saga_contexts_come_from_a_mounted_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("new,old\n")
    monkeypatch.setenv("SERVICE_ENVIRONMENT", "local")
    monkeypatch.setenv("SAGA_CONTEXT_KEYS_FILE", str(tmp_path / "keys"))
    held = service_settings(name="orders", apps=[])["BANDSTAND"]["SAGAS"]["CONTEXT_KEYS"]
    assert SagasConfig(context_keys=held).sealing_keys == ("new", "old")
    assert "old" not in repr(held)
