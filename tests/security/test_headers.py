"""H1, H7: what a client says about itself, its address, its time or the host changes nothing."""

import pytest

from tests.security.shop import Shop
from tests.security.wire import assert_error

_EVIL = "evil.example"


def spoofs(shop: Shop) -> dict[str, str]:
    """Headers by which a proxy would name the user, the route or the address."""
    staff, internal = shop.staff.id, f"/internal/v1/users/{shop.anna.id}/"
    return {
        "X-User-Id": staff, "X-User-Roles": "staff", "X-Service-Token": shop.service_token("orders", audience="users"),
        "X-Service-Name": "orders", "X-Forwarded-User": staff, "X-Authenticated-User": staff, "Remote-User": staff,
        "X-Internal-Request": "true", "X-Original-URL": internal, "X-Rewrite-URL": internal,
        "X-Envoy-Original-Path": internal, "X-Envoy-Decorator-Operation": internal, "X-Envoy-Internal": "true",
        "X-Envoy-Upstream-Rq-Timeout-Ms": "1", "X-Forwarded-Prefix": "/internal", "X-Timeout-Ms": "0",
        "X-Real-IP": "1.2.3.4", "X-Forwarded-For": "127.0.0.1, 10.0.0.1", "Forwarded": "for=127.0.0.1;by=x",
        "X-Forwarded-Proto": "javascript", "X-Forwarded-Host": _EVIL, "X-Client-Cert": "CN=orders", "Via": "1.1 envoy",
        "Cookie": "sessionid=1; user=staff", "Proxy-Authorization": f"Bearer {shop.staff.token}",
    }  # fmt: skip


def test_no_header_stands_in_for_a_token(shop: Shop) -> None:
    for name, value in spoofs(shop).items():
        for wire in (shop.wire, shop.straight_at("users")):
            if wire is not shop.wire and name == "X-Timeout-Ms":
                continue  # between services the deadline counts
            headers = {name: value}
            assert wire.ask("GET", "/api/v1/users/me/", headers=headers).status == 401, name
            assert wire.ask("GET", "/api/v1/users/", headers=headers, token=shop.ben.token).status == 403, name
            foreign = wire.ask("GET", f"/api/v1/users/{shop.anna.id}/", headers=headers, token=shop.ben.token)
            assert foreign.status == 404, name
            me = wire.ask("GET", "/api/v1/users/me/", headers=headers, token=shop.ben.token)
            assert me.data["id"] == shop.ben.id, name


@pytest.mark.parametrize(
    "name", ["X_User_Id", "X_Service_Token", "X_Forwarded_For", "Content_Length", "Authorization_"]
)
def test_a_name_with_an_underscore_never_arrives(shop: Shop, name: str) -> None:
    """In WSGI it would be the same variable as the name with a dash."""
    token = f"Authorization: Bearer {shop.ben.token}".encode()
    status, answer = shop.wire.request(b"/api/v1/users/me/", headers=[token, f"{name}: {shop.staff.id}".encode()])
    assert (status, b"VALIDATION_ERROR" in answer) == (400, True)
    spoof = [name.replace("_", "-").encode() + b": 10.9.8.7", name.encode() + b": 10.1.1.1"]
    status, answer = shop.straight_at("users").request(b"/api/v1/users/me/", headers=[token, *spoof[1:]])
    assert status in (200, 400)
    assert shop.staff.id.encode() not in answer


def test_authorization_cannot_be_spelled_with_an_underscore_past_the_gateway(shop: Shop) -> None:
    underscored = f"HTTP_AUTHORIZATION: Bearer {shop.staff.token}".encode()
    assert shop.straight_at("users").request(b"/api/v1/users/me/", headers=[underscored])[0] in (400, 401)


@pytest.mark.parametrize("named", ["X-Correlation-ID", "Authorization", "Content-Length", "X-User-Id", "close, Host"])
def test_connection_cannot_remove_a_header_that_matters(shop: Shop, named: str) -> None:
    headers = [b"Connection: " + named.encode(), f"Authorization: Bearer {shop.ben.token}".encode()]
    status, answer = shop.wire.request(b"/api/v1/users/me/", headers=headers)
    assert status in (200, 400, 401), answer
    assert status != 200 or shop.ben.id.encode() in answer


def test_two_authorization_headers_are_not_one_of_them(shop: Shop) -> None:
    headers = [f"Authorization: Bearer {token}".encode() for token in (shop.ben.token, shop.staff.token)]
    for wire in (shop.wire, shop.straight_at("users")):
        status, answer = wire.request(b"/api/v1/users/", headers=headers)
        assert status in (400, 401, 403), answer


@pytest.mark.parametrize("host", [_EVIL, f"{_EVIL}:80", f"127.0.0.1.{_EVIL}", f"127.0.0.1@{_EVIL}", "[::1", "a b",
                                  "127.0.0.1:8000:8000", "127.0.0.1/", "127.0.0.1:-1", ".", "0.0.0.0", "%31%32",
                                  "localhost\u00e9"])  # fmt: skip
def test_a_host_that_is_not_ours_is_refused_and_never_repeated(shop: Shop, host: str) -> None:
    for wire in (shop.wire, shop.straight_at("orders")):
        head = f"GET /api/v1/orders/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
        answer = wire.raw(f"{head}Authorization: Bearer {shop.anna.token}\r\n\r\n".encode())
        assert answer.startswith(b"HTTP/1.1 4"), (host, answer)
        assert _EVIL.encode() not in answer


def test_two_hosts_are_refused(shop: Shop) -> None:
    for wire in (shop.wire, shop.straight_at("orders")):
        status, _ = wire.request(b"/api/v1/products/", headers=[f"Host: {_EVIL}".encode()])
        assert 400 <= status < 500


def test_links_are_relative_whatever_is_forwarded(shop: Shop) -> None:
    headers = {"X-Forwarded-Host": _EVIL, "X-Forwarded-Proto": "https", "X-Forwarded-Prefix": f"//{_EVIL}"}
    page = shop.ask("GET", "/api/v1/products/?page_size=2", headers=headers)
    assert page.data["pagination"]["next"] == "/api/v1/products/?page_size=2&page=2"
    assert _EVIL.encode() not in page.body


def test_the_probes_are_answered_whatever_the_host(shop: Shop) -> None:
    """An orchestrator asks by an address that no list names."""
    assert shop.straight_at("users").ask("GET", "/livez", headers={"Host": "10.0.0.7:9999"}).status == 200


def test_no_answer_names_what_it_runs_on(shop: Shop) -> None:
    for path in ("/api/v1/products/", "/nowhere", "/healthz"):
        answer = shop.ask("GET", path)
        assert not {"server", "x-powered-by", "x-envoy-upstream-service-time", "via"} & set(answer.headers)
    assert_error(shop.ask("GET", "/nowhere"), service="gateway")
