"""H5: a body is bounded, is JSON in UTF-8, and is what the service reads - or it is refused."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.security.shop import Shop
from tests.security.wire import Answer, Wire, assert_error, status_of

_LIMIT = 1024 * 1024
_HEAD = b"POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
_JOIN, _SIGN_IN = "/api/v1/users/", "/api/v1/auth/token/"


def both(shop: Shop) -> tuple[Wire, Wire]:
    """The gateway, and the service straight on."""
    return shop.wire, shop.straight_at("users")


def refused(answer: Answer, status: int) -> None:
    """Fail unless *answer* is an error of that *status*."""
    assert answer.status == status, answer
    assert_error(answer)


def test_a_body_over_the_limit_is_refused_before_all_of_it_has_come(shop: Shop) -> None:
    for wire in both(shop):
        head = _HEAD % _SIGN_IN.encode() + f"Content-Length: {_LIMIT * 100}\r\n\r\n".encode()
        assert status_of(wire.raw(head, b" " * (_LIMIT + 1))) == 413
        refused(wire.ask("POST", _SIGN_IN, body=b" " * (_LIMIT + 1)), 413)


def test_a_chunked_body_over_the_limit_is_refused(shop: Shop) -> None:
    chunk = b"10000\r\n" + b" " * 65_536 + b"\r\n"
    for wire in both(shop):
        head = _HEAD % _SIGN_IN.encode() + b"Transfer-Encoding: chunked\r\n\r\n"
        answer = wire.raw(head, *[chunk] * 40)
        assert status_of(answer) in (0, 411, 413), answer[:300]


def test_an_endless_chunked_body_is_cut_off_and_costs_no_memory(shop: Shop) -> None:
    pids = [entry["pid"] for entry in shop.status()["processes"] if entry["name"] in ("users", "gateway")]
    before = [resident_bytes(pid) for pid in pids]
    chunk = b"10000\r\n" + b" " * 65_536 + b"\r\n"
    for wire in both(shop):
        wire.raw(_HEAD % _SIGN_IN.encode() + b"Transfer-Encoding: chunked\r\n\r\n", *[chunk] * 1000)
    grown = [resident_bytes(pid) - size for pid, size in zip(pids, before, strict=True)]
    assert max(grown) < 50_000_000, grown


def resident_bytes(pid: int) -> int:
    """How much memory a process holds."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


def test_a_chunked_body_arrives_whole(shop: Shop) -> None:
    """Django behind WSGI would see an empty body, and the empty body might be a valid request."""
    body = b'{"email":"staff@example.com","password":"staff-Passw0rd!"}'
    chunks = b"%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (20, body[:20], len(body) - 20, body[20:])
    answer = shop.wire.raw(_HEAD % _SIGN_IN.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)
    assert status_of(answer) == 200, answer
    straight = shop.straight_at("users").raw(_HEAD % _SIGN_IN.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)
    assert status_of(straight) in (200, 411), straight


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
                                  "application/xml", "application/json; charset=utf-7", "application/json; charset=x",
                                  "application/json-patch+json", "application/yaml", "image/png", "a", "*/*",
                                  "application/json; charset=utf-16"])  # fmt: skip
def test_what_is_no_json_in_utf_8_is_refused(shop: Shop, kind: str) -> None:
    for wire in both(shop):
        for path in (_JOIN, _SIGN_IN):
            answer = wire.ask(
                "POST", path, body=b'{"email":"a@example.com","password":"b"}', headers={"Content-Type": kind}
            )
            refused(answer, 415)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "identity, gzip"])
def test_a_compressed_body_is_not_unpacked(shop: Shop, encoding: str) -> None:
    bomb = gzip.compress(b" " * 10_000_000)
    for wire in both(shop):
        answer = wire.ask("POST", _SIGN_IN, body=bomb, headers={"Content-Encoding": encoding})
        assert answer.status in (400, 415), answer
        assert_error(answer)


_MALFORMED: dict[str, Callable[[], bytes]] = {
    "deep list": lambda: b"[" * 100_000,
    "deep closed list": lambda: b"[" * 100_000 + b"]" * 100_000,
    "deep object": lambda: b'{"a":' * 100_000,
    "many members": lambda: b"{" + b",".join(b'"k%d":0' % number for number in range(90_000)) + b"}",
    "utf-16": lambda: '{"email":"a","password":"b"}'.encode("utf-16"),
    "byte order mark": lambda: b'\xef\xbb\xbf{"email":"a","password":"b"}',
    "broken utf-8": lambda: b'{"email":"\xff","password":"b"}',
    "overlong utf-8": lambda: b'{"email":"\xc0\xaf","password":"b"}',
    "surrogate": lambda: b'{"email":"\\ud800","password":"b"}',
    "surrogate bytes": lambda: b'{"email":"\xed\xa0\x80","password":"b"}',
    "duplicate": lambda: b'{"email":"a","email":"b","password":"b"}',
    "hidden duplicate": lambda: b'{"email":"a","\\u0065mail":"b","password":"b"}',
    "constant": lambda: b'{"email":NaN,"password":Infinity}',
    "comment": lambda: b'{"email":"a",/* */"password":"b"}',
    "single quotes": lambda: b"{'email':'a','password':'b'}",
    "trailing comma": lambda: b'{"email":"a","password":"b",}',
    "two documents": lambda: b'{"email":"a","password":"b"}{}',
    "control character": lambda: b'{"email":"a\n","password":"b"}',
    "huge integer": lambda: b'{"email":' + b"9" * 100_000 + b',"password":"b"}',
    "huge exponent": lambda: b'{"email":1e999999,"password":"b"}',
    "empty": lambda: b"",
    "list": lambda: b"[]",
    "text": lambda: b'"email"',
    "null": lambda: b"null",
    "number": lambda: b"1",
}


@pytest.mark.parametrize("name", sorted(_MALFORMED))
def test_a_body_that_could_be_read_in_two_ways_is_refused(shop: Shop, name: str) -> None:
    for wire in both(shop):
        for path in (_SIGN_IN, _JOIN):
            refused(wire.ask("POST", path, body=_MALFORMED[name]()), 400)
    internal, token = shop.straight_at("inventory"), shop.service_token("orders", audience="inventory")
    refused(internal.ask("PUT", "/internal/v1/reservations/x:y/", body=_MALFORMED[name](), token=token), 400)
