"""One behaviour suite that every transport passes, through both of its doors."""

import asyncio
import gzip
import os
import socket
from collections.abc import Callable, Iterator
from datetime import timedelta
from time import perf_counter

import pytest
from tests.transport.servers import Connection, Script, answer, echo_path, serving

from bandstand import transport
from bandstand.errors import ServiceConnectionError, ServiceHTTPError, ServiceTimeoutError
from bandstand.transport import ClientConfig, Request, Response

Send = Callable[..., Response]

DOORS = ["pyreqwest", "pyreqwest-async", "urllib3", "urllib3-async"]
SHORT = 0.3


@pytest.fixture(params=DOORS)
def send(request: pytest.FixtureRequest) -> Iterator[Send]:
    name, _, door = request.param.partition("-")
    made = transport.make(ClientConfig(transport=name, connect_timeout=timedelta(seconds=0.3)))

    def sync(url: str, method: str = "GET", timeout: float = 5.0, **rest: object) -> Response:
        return made.send(Request(method=method, url=url, timeout=timeout, **rest))  # type: ignore[arg-type]

    def on_a_loop(url: str, method: str = "GET", timeout: float = 5.0, **rest: object) -> Response:
        return asyncio.run(made.asend(Request(method=method, url=url, timeout=timeout, **rest)))  # type: ignore[arg-type]

    yield on_a_loop if door else sync
    made.close()


def failing(send: Send, script: Script, expected: type[Exception], **options: object) -> Exception:
    with serving(script) as server:
        started = perf_counter()
        with pytest.raises(expected) as caught:
            send(server.url, **options)
        assert perf_counter() - started < 3
        return caught.value


def test_a_request_goes_out_as_it_was_written_and_the_answer_comes_back(send: Send) -> None:
    seen: list[bytes] = []

    def script(connection: Connection) -> None:
        seen.append(connection.request() or b"")
        connection.send(answer(b'{"a":1}', status="201 Created", headers="X-Twice: 1\r\nx-twice: 2\r\n"))

    with serving(script) as server:
        got = send(f"{server.url}/a/b%2Fc/?q=%20x", "POST", headers={"X-Name": "value"}, body=b'{"b":2}')
    assert (got.status, got.body, got.headers["x-twice"]) == (201, b'{"a":1}', "1, 2")
    head, _, body = seen[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /a/b%2Fc/?q=%20x HTTP/1.1\r\n")
    assert b"x-name: value" in head.lower()
    assert b"content-length: 7" in head.lower()
    assert body == b'{"b":2}'


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "HEAD"])
def test_every_method_is_sent_without_a_body_of_its_own(send: Send, method: str) -> None:
    seen: list[bytes] = []

    def script(connection: Connection) -> None:
        seen.append(connection.request() or b"")
        connection.send(b"HTTP/1.1 204 No Content\r\n\r\n")

    with serving(script) as server:
        assert send(server.url, method).body == b""
    assert seen[0].startswith(method.encode())
    assert b"transfer-encoding" not in seen[0].lower()


@pytest.mark.parametrize("status", ["302 Found", "307 Temporary Redirect", "404 Not Found", "500 Oops", "503 Later"])
def test_every_status_is_an_answer_and_no_redirect_is_followed(send: Send, status: str) -> None:
    script = once(answer(status=status, headers="Location: /elsewhere/\r\n"))
    with serving(script) as server:
        assert send(server.url, "POST").status == int(status[:3])
        assert server.count == 1


def once(data: bytes) -> Script:
    def script(connection: Connection) -> None:
        connection.request()
        connection.send(data)

    return script


def test_a_refused_connection_was_not_sent(send: Send) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(ServiceConnectionError) as caught:
        send(f"http://127.0.0.1:{port}/", "POST", body=b"{}")
    assert caught.value.sent is False


def test_an_unknown_host_was_not_sent(send: Send) -> None:
    with pytest.raises((ServiceConnectionError, ServiceTimeoutError)) as caught:
        send("http://nowhere.invalid/", timeout=2.0)
    assert caught.value.sent is False  # type: ignore[attr-defined]


def test_a_connection_that_is_not_accepted_times_out_unsent(send: Send) -> None:
    """A listener whose backlog is full answers no SYN, as a host that is gone."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        started = perf_counter()
        with pytest.raises(ServiceTimeoutError) as caught:
            send(f"http://127.0.0.1:{full.getsockname()[1]}/", timeout=4.0)
        assert perf_counter() - started < 2
        assert caught.value.sent is False
        for each in waiting:
            each.close()


def test_silence_after_the_request_times_out_as_sent(send: Send) -> None:
    def script(connection: Connection) -> None:
        connection.request()
        connection.done.wait(10)

    error = failing(send, script, ServiceTimeoutError, timeout=SHORT)
    assert error.sent is True  # type: ignore[attr-defined]


@pytest.mark.parametrize("at_once", [0, 20, 90, 200])
@pytest.mark.parametrize("length", [b"Content-Length: 500", b"Transfer-Encoding: chunked"])
def test_an_answer_that_trickles_does_not_outlive_the_total_timeout(send: Send, at_once: int, length: bytes) -> None:
    """A timeout for each read alone would be renewed by every byte, be it of the headers or of the body."""
    whole = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + length + b"\r\n\r\n" + b"1\r\nx\r\n" * 80

    def script(connection: Connection) -> None:
        connection.request()
        connection.send(whole[:at_once])
        connection.trickle(whole[at_once:], every=0.05)
        connection.done.wait(10)

    started = perf_counter()
    failing(send, script, ServiceTimeoutError, timeout=SHORT)
    assert perf_counter() - started < 2


def test_a_body_that_is_not_taken_times_out(send: Send) -> None:
    def script(connection: Connection) -> None:
        connection.done.wait(10)

    failing(send, script, ServiceTimeoutError, timeout=SHORT, method="PUT", body=b"x" * 20_000_000)


@pytest.mark.parametrize(
    "data",
    [b"", b"HTTP/1.1 200 OK\r\nContent-", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345", b"SSH-2.0-x\r\n"],
)
@pytest.mark.parametrize("end", ["closed", "reset"])
def test_an_answer_that_ends_early_or_is_no_http_leaves_the_effect_unknown(send: Send, data: bytes, end: str) -> None:
    def script(connection: Connection) -> None:
        connection.request()
        connection.send(data)
        if end == "reset":
            connection.reset()

    error = failing(send, script, ServiceConnectionError, method="POST", body=b"{}")
    assert error.sent is True  # type: ignore[attr-defined]


def test_a_chunked_answer_is_put_together(send: Send) -> None:
    chunks = b"4\r\n[1,2\r\n3\r\n,3]\r\n0\r\n\r\n"
    with serving(once(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)) as server:
        assert send(server.url).body == b"[1,2,3]"


def test_a_chunked_answer_that_ends_early_is_no_answer(send: Send) -> None:
    failing(send, once(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n[1,2\r\n"), ServiceConnectionError)


def test_compression_is_neither_offered_nor_undone(send: Send) -> None:
    """A bomb of a thousand to one stays as small as it came."""
    bomb = gzip.compress(b"0" * 1_000_000)
    seen: list[bytes] = []

    def script(connection: Connection) -> None:
        seen.append(connection.request() or b"")
        connection.send(answer(bomb, headers="Content-Encoding: gzip\r\n"))

    with serving(script) as server:
        assert send(server.url).body == bomb
    assert b"gzip" not in seen[0].lower()


def test_a_large_answer_within_the_limit_comes_whole(send: Send) -> None:
    body = os.urandom(3_000_000)
    with serving(once(answer(body))) as server:
        assert send(server.url).body == body


@pytest.mark.parametrize("sized", [True, False])
def test_an_answer_over_the_limit_is_cut_off(send: Send, sized: bool) -> None:
    head = b"Content-Length: 1000000000\r\n" if sized else b"Transfer-Encoding: chunked\r\n"

    def script(connection: Connection) -> None:
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n")
        block = b"x" * 65536
        while not connection.done.is_set():
            connection.send(block if sized else b"10000\r\n" + block + b"\r\n")

    error = failing(send, script, ServiceHTTPError, max_body_bytes=100_000)
    assert error.status_code == 200  # type: ignore[attr-defined]


def test_a_line_break_in_a_header_is_never_sent(send: Send) -> None:
    with serving(echo_path) as server, pytest.raises(ValueError, match=r"(?i)header"):
        send(server.url, headers={"X-Name": "a\r\nX-Evil: 1"})
