"""The gateway lets declared routes through and answers everything else in the shop's envelope."""

import re
import socket
import subprocess
from pathlib import Path

import pytest

from bandstand.fleet.gateway.files import GatewayFiles, envoy_path
from bandstand.fleet.manifest import read_manifest
from tests.fleet_unit.fleets import Fleet

ROOT = Path(__file__).parents[2]
PRIVATE = ["internal/v1/users/1/", "metrics", "livez", "readyz", "startupz", "health/", "admin/"]
SPELLINGS = [
    "/{}",
    "//{}",
    "/./{}",
    "/%69nternal/../{}",
    "/api/v1/users/../../../{}",
    "/api/v1/users/%2e%2e/%2E%2e/../{}",
    "/api/v1/users/..%2f..%2f..%2f{}",
    "/api/v1/users\\..\\..\\..\\{}",
    "/api/v1/users/..;/..;/..;/{}",
]


def test_envoy_accepts_the_configuration_of_the_shop(tmp_path: Path) -> None:
    fleet = read_manifest(ROOT / "fleet.toml")
    files = GatewayFiles(xds=tmp_path / "xds", admin=tmp_path / "admin.sock")
    files.write_static(host="127.0.0.1", port=8000, access_log=Path("/dev/stdout"))
    files.write_routes(fleet.routes, timeout_seconds=15)
    files.write_clusters(fleet.services)
    command = [envoy_path(), "--mode", "validate", "--reject-unknown-dynamic-fields", "-c", files.bootstrap]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("method", "path", "service"),
    [
        ("GET", "/api/v1/users", "users"),
        ("POST", "/api/v1/users/5/", "users"),
        ("GET", "/api/v1/users/5/orders/", "orders"),
        ("GET", "/api/v1/users/5/orders?page=2", "orders"),
        ("POST", "/api/v1/users/5/orders/", "users"),
        ("GET", "/api/v1//orders///7", "orders"),
        ("GET", "/.well-known/jwks.json", "users"),
        ("GET", "/api/v1/docs/orders/swagger.css", "orders"),
        ("GET", "/api/v1/schema/users", "users"),
    ],
)
def test_a_declared_route_reaches_its_service(shared_fleet: Fleet, method: str, path: str, service: str) -> None:
    status, headers, body = shared_fleet.ask(path, method=method)
    assert (status, body["service"]) == (200, service)
    assert headers["x-request-id"]


@pytest.mark.parametrize("path", ["/", "/api/v1/", "/api/v1/usersx/", "/API/v1/users/", "/.well-known/jwks.json/x"])
def test_what_is_not_declared_does_not_exist(shared_fleet: Fleet, path: str) -> None:
    status, headers, body = shared_fleet.ask(path)
    assert status == 404
    assert headers["content-type"] == "application/json"
    assert body["error"]["code"] == "NOT_FOUND"
    assert body["error"]["service"] == "gateway"
    assert body["error"]["details"] == {}
    assert body["error"]["correlation_id"] == headers["x-correlation-id"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", body["error"]["timestamp"])


@pytest.mark.parametrize("private", PRIVATE)
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_private_paths_are_unreachable_however_spelled(shared_fleet: Fleet, private: str, spelling: str) -> None:
    status, _, body = shared_fleet.ask(spelling.format(private))
    seen = body.get("path", "")
    assert status in (400, 404) or seen.startswith("/api/v1/users/..;/")  # to Django that is no path above users
    assert status != 200 or not seen.removeprefix("/").startswith(private)


def test_what_a_client_says_about_itself_is_dropped(shared_fleet: Fleet) -> None:
    said = {"X-User-Id": "1", "X-Service-Token": "t", "X-Internal-Call": "1", "X-Forwarded-For": "203.0.113.9",
            "X-Timeout-Ms": "1", "X-Request-ID": "chosen-by-me-1", "X-HTTP-Method-Override": "DELETE"}  # fmt: skip
    _, _, body = shared_fleet.ask("/api/v1/users/", headers=said)
    seen = body["headers"]
    assert not {"x-user-id", "x-service-token", "x-internal-call", "x-timeout-ms", "x-http-method-override"} & set(seen)
    assert "203.0.113.9" not in seen["x-forwarded-for"]
    assert seen["x-request-id"] != "chosen-by-me-1"


def test_a_valid_correlation_id_is_kept_and_a_missing_one_made(shared_fleet: Fleet) -> None:
    _, _, body = shared_fleet.ask("/api/v1/users/", headers={"X-Correlation-ID": "order-12345"})
    assert body["headers"]["x-correlation-id"] == "order-12345"
    _, _, body = shared_fleet.ask("/api/v1/users/")
    assert body["headers"]["x-correlation-id"] == body["headers"]["x-request-id"]


@pytest.mark.parametrize(("given", "kept"), [("abc-DEF_1.2", True), ("short", False), ('x"}<script>', False)])
def test_the_gateway_echoes_only_a_well_formed_correlation_id(shared_fleet: Fleet, given: str, kept: bool) -> None:
    _, headers, body = shared_fleet.ask("/nothing", headers={"X-Correlation-ID": given})
    assert (body["error"]["correlation_id"] == given) is kept
    assert headers["x-correlation-id"] == body["error"]["correlation_id"]


def test_problem_json_is_given_to_those_who_ask_for_it(shared_fleet: Fleet) -> None:
    status, headers, body = shared_fleet.ask("/nothing", headers={"Accept": "application/problem+json"})
    assert (status, headers["content-type"]) == (404, "application/problem+json")
    assert (body["status"], body["code"], body["title"]) == (404, "NOT_FOUND", "Not Found")
    assert (headers["cache-control"], headers["vary"]) == ("no-store", "Accept")


@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [
        (b"GARBAGE\r\n\r\n", 400, "VALIDATION_ERROR"),
        (b"GET /api/v1/users/ HTTP/1.1\r\nHost: x\r\nX_User_Id: 1\r\n\r\n", 400, "VALIDATION_ERROR"),
        (b"POST /api/v1/users/ HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         400, "VALIDATION_ERROR"),
        (b"GET /api/v1/users/ HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 70_000 + b"\r\n\r\n", 413, "PAYLOAD_TOO_LARGE"),
        (b"GET /healthz HTTP/1.0\r\n\r\n", 400, "VALIDATION_ERROR"),
        (b"POST /api/v1/users/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 400, "VALIDATION_ERROR"),
    ],
)  # fmt: skip
def test_a_broken_request_gets_the_envelope(shared_fleet: Fleet, raw: bytes, status: int, code: str) -> None:
    with socket.create_connection(("127.0.0.1", shared_fleet.port), timeout=5) as connection:
        connection.sendall(raw)
        answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    head, _, body = answer.partition("\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ")
    assert f'"code":"{code}"' in body
    assert '"service":"gateway"' in body
    assert "x-correlation-id: gw-" in head


@pytest.mark.parametrize("chunked", [True, False])
def test_a_body_over_one_mebibyte_is_refused(shared_fleet: Fleet, chunked: bool) -> None:
    body = b"x" * (1024 * 1024 + 1)
    content = iter([body]) if chunked else body
    status, _, answer = shared_fleet.ask("/api/v1/users/", method="POST", body=content)
    assert (status, answer["error"]["code"]) == (413, "PAYLOAD_TOO_LARGE")


def test_a_chunked_body_reaches_the_service_with_its_length(shared_fleet: Fleet) -> None:
    status, _, answer = shared_fleet.ask("/api/v1/users/", method="POST", body=iter([b"abc", b"defg"]))
    assert (status, answer["body_bytes"], answer["headers"]["content-length"]) == (200, 7, "7")


def test_the_gateway_says_that_it_is_alive(shared_fleet: Fleet) -> None:
    status, _, body = shared_fleet.ask("/healthz")
    assert (status, body) == (200, {"status": "ok"})
