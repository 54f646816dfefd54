"""The manifest names every fault at once, and routes say exactly what they let through."""

import re
from pathlib import Path

import pytest

from bandstand.config import ConfigurationError
from bandstand.fleet.manifest import find_manifest, read_manifest
from bandstand.fleet.routes import by_specificity, parse_route

ROOT = Path(__file__).parents[2]

WRONG = """
[gatewya]
workers = 1
[services.users]
folder = "nowhere"
settings = "users.settings"
replicas = "two"
rutes = []
[services.orders]
settings = "orders.settings"
command = ["x"]
routes = ["/internal/v1/", "FETCH /api/v1/orders/", "/api/../x"]
[services.gateway]
settings = "a.settings"
[backing.provider]
role = "cook"
command = ["x"]
variable = "URL"
[backing.nothing]
command = "x"
"""


def test_the_manifest_of_the_shop_is_right() -> None:
    fleet = read_manifest(ROOT / "fleet.toml")
    assert list(fleet.services) == ["users", "products", "inventory", "orders", "payments", "notifications"]
    assert fleet.version_of("users") == "0.1.0"


def test_every_fault_is_named_in_one_message(tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text(WRONG)
    with pytest.raises(ConfigurationError) as caught:
        read_manifest(tmp_path / "fleet.toml")
    message = str(caught.value)
    for part in (
        "gatewya: is unknown; expected did you mean 'gateway'?",
        "services.users.replicas",
        "services.users.rutes: is unknown; expected did you mean 'routes'?",
        "services.orders: needs either settings or command",
        "'/internal/v1/' is never reachable through the gateway",
        "'FETCH'",
        "'/api/../x' is no path",
        "share a name with the gateway",
        "backing.provider.role",
        "backing.nothing.command",
        "backing.nothing.variable",
    ):
        assert part in message


def test_a_route_that_two_services_claim_is_a_fault(tmp_path: Path) -> None:
    services = "".join(f'[services.{name}]\ncommand = ["x"]\nroutes = ["/api/v1/things/"]\n' for name in ("a", "b"))
    (tmp_path / "fleet.toml").write_text(services)
    with pytest.raises(ConfigurationError, match="belongs to a already"):
        read_manifest(tmp_path / "fleet.toml")


def test_text_that_is_no_toml_is_one_fault(tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text("[services")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_manifest(tmp_path / "fleet.toml")


def test_the_nearest_manifest_above_is_found(tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").touch()
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    assert find_manifest(deep) == tmp_path / "fleet.toml"


def test_the_most_specific_route_comes_first() -> None:
    texts = ["/api/v1/users/", "GET /api/v1/users/{id}/orders/", "/api/v1/users/me/", "/.well-known/jwks.json"]
    ordered = by_specificity(parse_route(text, service="x") for text in texts)
    assert [route.path for route in ordered] == [
        "/api/v1/users/{id}/orders/",
        "/.well-known/jwks.json",
        "/api/v1/users/me/",
        "/api/v1/users/",
    ]


def test_a_parameter_is_one_segment() -> None:
    pattern = re.compile(parse_route("GET /api/v1/users/{id}/orders/", service="x").pattern())
    assert pattern.fullmatch("/api/v1/users/5/orders")
    assert not pattern.fullmatch("/api/v1/users/5/6/orders/")
