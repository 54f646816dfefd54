"""HTTPS: certificates are verified, and the one total timeout holds there too."""

import ipaddress
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from time import perf_counter

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.transport.servers import Connection, Script, answer, serving

from bandstand import clock, transport
from bandstand.errors import ServiceConnectionError, ServiceTimeoutError
from bandstand.transport import ClientConfig, Request, Transport


@dataclass(frozen=True, kw_only=True)
class Certificates:
    """An authority of our own and, in one file, the certificate and key of the loopback address."""

    authority: Path
    server: Path


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("tls")
    authority_key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = _certificate("authority", authority_key, "authority", authority_key)
    server = _certificate("server", server_key, "authority", authority_key)
    private = server_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "authority.pem").write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    (folder / "server.pem").write_bytes(server.public_bytes(serialization.Encoding.PEM) + private)
    return Certificates(authority=folder / "authority.pem", server=folder / "server.pem")


def _certificate(
    subject: str, key: ec.EllipticCurvePrivateKey, issuer: str, issuer_key: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    loopback = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    now = clock.now()
    return (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(loopback, critical=False)
        .add_extension(x509.BasicConstraints(ca=subject == issuer, path_length=None), critical=True)
        .sign(issuer_key, hashes.SHA256())
    )


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
