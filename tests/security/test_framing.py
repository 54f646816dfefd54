"""H3: where one request ends and the next begins is never in doubt, and no request travels inside another."""

import pytest

from tests.security.shop import Shop
from tests.security.wire import Wire, status_of

_SMUGGLED = b"GET /api/v1/smuggled-%s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
_CHUNKS = b'5\r\n{"a":\r\n2\r\n1}\r\n0\r\n\r\n'

# Everything between the request line and the body; {n} is the length of what follows the header section.
_FRAMINGS = {
    "cl-te": b"Content-Length: {n}\r\nTransfer-Encoding: chunked\r\n",
    "te-cl": b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
    "two-lengths": b"Content-Length: {n}\r\nContent-Length: 0\r\n",
    "length-list": b"Content-Length: {n}, 0\r\n",
    "length-plus": b"Content-Length: +{n}\r\n",
    "length-minus": b"Content-Length: -1\r\n",
    "length-hex": b"Content-Length: 0x10\r\n",
    "length-huge": b"Content-Length: 99999999999999999999999\r\n",
    "te-unknown": b"Transfer-Encoding: xchunked\r\n",
    "te-twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
    "te-list": b"Transfer-Encoding: identity, chunked\r\n",
    "te-space": b"Transfer-Encoding : chunked\r\n",
    "te-tab": b"Transfer-Encoding:\tchunked\x0b\r\n",
    "te-fold": b"Transfer-Encoding:\r\n chunked\r\nContent-Length: 0\r\n",
    "te-quoted": b"Transfer-Encoding: \"chunked\"\r\n",
    "te-leading-line": b"X: y\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n",
    "te-gzip": b"Transfer-Encoding: gzip, chunked\r\n",
    "te-in-http10": b"Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n",
    "nul-in-name": b"Content\x00-Length: 0\r\n",
    "cr-in-value": b"X-A: b\rTransfer-Encoding: chunked\r\n",
    "no-colon": b"Content-Length 5\r\n",
}  # fmt: skip


def poisoned(framing: str, smuggled: bytes) -> bytes:
    """A request with *framing* whose body ends, by one reading or another, in a second request."""
    body = _CHUNKS + smuggled
    version = b"1.0" if framing.endswith("http10") else b"1.1"
    head = b"POST /api/v1/users/ HTTP/" + version + b"\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    return head + _FRAMINGS[framing].replace(b"{n}", str(len(body)).encode()) + b"\r\n" + body


def paths_seen(shop: Shop) -> str:
    """All that the services logged."""
    return "".join(log.read_text() for log in (shop.data / "logs").glob("*.log"))


@pytest.mark.parametrize("framing", sorted(_FRAMINGS))
def test_an_ambiguous_request_is_refused_or_is_one_request(shop: Shop, framing: str) -> None:
    """The gateway may see a well-framed second request in what follows; then it is one like any other, never hidden."""
    for number, wire in enumerate((shop.wire, shop.straight_at("users"))):
        answer = wire.raw(poisoned(framing, _SMUGGLED % f"{framing}-{number}".encode()), quiet_seconds=0.1, patience=1)
        assert status_of(answer) == 0 or 400 <= status_of(answer) < 500, answer
        assert answer.count(b"HTTP/1.1 2") == 0, answer
        assert wire.ask("GET", "/api/v1/users/me/").status == 401


@pytest.mark.parametrize("framing", ["cl-te", "te-cl", "two-lengths", "te-space", "te-fold", "te-quoted", "te-list"])
def test_the_next_request_on_a_shared_connection_is_not_poisoned(shop: Shop, framing: str) -> None:
    """The prefix of a second request must not stick to what another client sends over the gateway's connections."""
    prefix = b"GET /api/v1/users/poison HTTP/1.1\r\nX-Swallow: "
    for _ in range(3):
        shop.wire.raw(poisoned(framing, prefix), patience=0.5)
        with Wire(f"http://127.0.0.1:{shop.wire.port}") as victim:
            assert victim.ask("GET", "/api/v1/users/me/", token=shop.anna.token).data["id"] == shop.anna.id
    assert "users/poison" not in paths_seen(shop)


_BAD_CHUNKS = (
    b"5;a=b\nX\r\nhello\r\n0\r\n\r\n",
    b"FFFFFFFFFFFFFFFFF\r\nx\r\n0\r\n\r\n",
    b"-1\r\nx\r\n",
    b"0x2\r\n{}\r\n0\r\n\r\n",
    b"2 \r\n{}\r\n0\r\n\r\n",
    b"2\n{}\n0\n\n",
    b"zz\r\n{}\r\n0\r\n\r\n",
)


@pytest.mark.parametrize("chunks", _BAD_CHUNKS)
def test_a_malformed_chunk_ends_the_request(shop: Shop, chunks: bytes) -> None:
    for wire in (shop.wire, shop.straight_at("users")):
        head = b"POST /api/v1/auth/token/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        answer = wire.raw(head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks, quiet_seconds=0.1, patience=1)
        assert status_of(answer) == 0 or 400 <= status_of(answer) < 500, answer


_HOST = b"Host: 127.0.0.1\r\n"
_HARDLY = (
    b"GET /api/v1/products/\r\n\r\n",
    b"GET /api/v1/products/ HTTP/9.9\r\n\r\n",
    b"\x16\x03\x01\x00\xa5\x01\x00\x00\r\n\r\n",
    b"GET /api/v1/products/ HTTP/1.1\r\n\r\n",
    b"GET /\xff\xfe HTTP/1.1\r\n" + _HOST + b"\r\n",
    b"G\x00T / HTTP/1.1\r\n" + _HOST + b"\r\n",
    b"GET /api/v1/products/ HTTP/1.1\nHost: evil.example\n\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\r\n\r\n\r\n\r\nquit\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + _HOST + b"X: " + b"a" * 200_000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + _HOST + b"X: a\r\n" * 500 + b"\r\n",
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n" + _HOST + b"\r\n",
)


@pytest.mark.parametrize("head", _HARDLY, ids=range(len(_HARDLY)))
def test_what_is_hardly_a_request_is_refused(shop: Shop, head: bytes) -> None:
    for wire in (shop.wire, shop.straight_at("users")):
        answer = wire.raw(head, patience=1)
        assert status_of(answer) == 0 or 400 <= status_of(answer) < 500 or status_of(answer) == 505, answer
        if wire is shop.wire and status_of(answer):
            assert b'"correlation_id"' in answer, answer
    assert shop.ask("GET", "/api/v1/products/").status == 200
