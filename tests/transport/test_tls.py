"""HTTPS: certificates are verified, and the one total timeout holds there too."""

import ssl
from collections.abc import Callable
from time import perf_counter

import pytest
from tests.certificates import Certificates, certificates_in
from tests.transport.servers import Connection, Script, answer, serving

from bandstand import transport
from bandstand.errors import ServiceConnectionError, ServiceTimeoutError
from bandstand.transport import ClientConfig, Request, Transport


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates_in(tmp_path_factory.mktemp("tls"))


@pytest.fixture(params=["pyreqwest", "urllib3"])
def make(request: pytest.FixtureRequest) -> Callable[[], Transport]:
    return lambda: transport.make(ClientConfig(transport=request.param))


def over_tls(certificates: Certificates, script: Script) -> Script:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.server)

    def wrapped(connection: Connection) -> None:
        connection.sock = context.wrap_socket(connection.sock, server_side=True)
        script(connection)

    return wrapped


def trickling(connection: Connection) -> None:
    connection.request()
    connection.trickle(answer(b"x" * 100), every=0.05)


def test_a_certificate_that_nobody_vouches_for_ends_the_call_unsent(
    make: Callable[[], Transport], certificates: Certificates
) -> None:
    with serving(over_tls(certificates, trickling)) as server:
        url = server.url.replace("http:", "https:")
        with pytest.raises(ServiceConnectionError) as caught:
            make().send(Request(method="POST", url=url, timeout=5, body=b"{}"))
    assert caught.value.sent is False


def test_a_trusted_server_is_called_within_one_timeout(
    make: Callable[[], Transport], certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))

    def script(connection: Connection) -> None:
        while (request := connection.request()) is not None:
            if b" /slow" in request:
                connection.trickle(answer(b"x" * 100), every=0.05)
            connection.send(answer(b"1"))

    with serving(over_tls(certificates, script)) as server:
        url = server.url.replace("http:", "https:")
        made = make()
        assert made.send(Request(method="GET", url=f"{url}/quick", timeout=5)).body == b"1"
        started = perf_counter()
        with pytest.raises(ServiceTimeoutError) as caught:
            made.send(Request(method="GET", url=f"{url}/slow", timeout=0.5))
        assert perf_counter() - started < 3
        assert caught.value.sent is True
        made.close()
