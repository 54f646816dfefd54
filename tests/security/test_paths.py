"""H4: what is not for clients cannot be reached through the gateway, however its path is spelled."""

import json

import pytest

from tests.security.shop import Shop

_HIDDEN = ("internal/v1/users/", "metrics", "livez", "readyz", "startupz", "health/", "admin/")
# What only the hidden views say; none of it may be in an answer.
_TELLTALES = (b"is_active", b"http_requests_total", b'"status":"ok"', b"failing", b"csrf", b"<html", b"memory")
_SPELLINGS = (
    "/{0}", "//{0}", "///{0}", "/./{0}", "/%2e/{0}", "/{1}", "/{2}", "/{0}/", "/{0}.", "/{0}%20", "/{0};x=1", "/;/{0}",
    "/api/v1/users/../../../{0}", "/api/v1/users/%2e%2e/%2e%2e/%2e%2e/{0}", "/api/v1/users/..%2f..%2f..%2f{0}",
    "/api/v1/users/%2e%2e%2f%2e%2e%2f%2e%2e%2f{0}", "/api/v1/users/%252e%252e/%252e%252e/%252e%252e/{0}",
    "/api/v1/users/..\\..\\..\\{0}", "/api/v1/users/..%5c..%5c..%5c{0}", "/api/v1/users/..;/..;/..;/{0}",
    "/api/v1/users/.../.../.../{0}", "/api/v1/users/%c0%ae%c0%ae/%c0%ae%c0%ae/%c0%ae%c0%ae/{0}",
    "/api/v1/users/%e0%80%ae%e0%80%ae/{0}", "/api/v1/users/%00/../../../../{0}", "/{0}%00", "/%00/{0}", "/{0}%0a",
    "/{0}?x=/api/v1/users/", "/{0}#/api/v1/users/", "/api/v1/users/..//..//..//{0}", "/api/v1/users//../../..//{0}",
    "/api/v1/users%2f..%2f..%2f..%2f{0}", "/%2f{0}", "/%5c{0}", "/\\{0}", "\\{0}", "{0}", "/api/v1/orders/..%00/{0}",
    "/.well-known/jwks.json/../../{0}", "/.well-known/jwks.json%2f..%2f..%2f{0}", "/healthz/../{0}", "/healthz/{0}",
    "http://127.0.0.1/{0}", "http://users/{0}", "https://127.0.0.1:443//{0}", "//127.0.0.1/{0}",
    "http://evil.example/api/v1/users/../../../{0}", "/api/v1/users/\t../../../{0}", "*/{0}",
)  # fmt: skip


def spelled(hidden: str) -> list[bytes]:
    """Every spelling: as it is, with its first letter and with all of it percent-encoded."""
    first = f"%{ord(hidden[0]):02x}{hidden[1:]}"
    every = "".join(f"%{ord(letter):02X}" if letter != "/" else letter for letter in hidden)
    return [spelling.format(hidden, first, every).encode() for spelling in _SPELLINGS]


@pytest.mark.parametrize("hidden", _HIDDEN)
def test_no_spelling_reaches_what_is_not_for_clients(shop: Shop, hidden: str) -> None:
    path = hidden + shop.anna.id + "/" if hidden.startswith("internal") else hidden
    token = f"Authorization: Bearer {shop.service_token('orders', audience='users')}".encode()
    for target in spelled(path):
        status, answer = shop.wire.request(target, headers=[token, b"X-Envoy-Original-Path: /internal/v1/users/"])
        assert 400 <= status < 500 or status == 0, (target, status, answer)
        assert not any(telltale in answer for telltale in _TELLTALES), (target, answer)


def test_the_hidden_routes_do_exist_behind_the_gateway(shop: Shop) -> None:
    """Otherwise the test above would show nothing."""
    straight, token = shop.straight_at("users"), shop.service_token("orders", audience="users")
    assert straight.ask("GET", f"/internal/v1/users/{shop.anna.id}/", token=token).data["is_active"] is True
    for path in ("/metrics", "/livez", "/readyz", "/startupz", "/health/"):
        assert straight.ask("GET", path).status == 200


@pytest.mark.parametrize("path", ["/openapi.json", "/schema", "/docs", "/.env", "/.git/config", "/static/x", "/debug",
                                  "/server_info", "/stats", "/config_dump", "/quitquitquit", "/console"])  # fmt: skip
def test_nothing_else_is_exposed(shop: Shop, path: str) -> None:
    status, answer = shop.wire.request(path.encode())
    assert status == 404
    assert json.loads(answer.rpartition(b"\r\n\r\n")[2])["error"]["service"] == "gateway"


def test_a_route_has_one_canonical_path_whatever_the_spelling(shop: Shop) -> None:
    """Slashes and dots are resolved before the route is chosen, so that gateway and service agree on it."""
    for target in (b"//api/v1/products/", b"/./api/v1/products/", b"/api/v1/users/../products/", b"/api/v1/products"):
        status, answer = shop.wire.request(target)
        assert (status, b"SKU-" in answer) == (200, True), target


def test_a_service_straight_on_does_not_take_a_spelling_for_an_internal_route(shop: Shop) -> None:
    straight = shop.straight_at("users")
    for target in spelled(f"internal/v1/users/{shop.anna.id}/"):
        status, answer = straight.request(target)
        assert status != 200, (target, answer)
        assert status < 500, (target, answer)
        assert b"is_active" not in answer
