"""`amqps://`: certificates are verified, host name included, and reading is as over a plain socket."""

from uuid import uuid4

import pytest

from bandstand.events.backends import BusUnavailable, open_bus
from bandstand.testing.engines import RunningEngine
from tests.backends.steps import MADE, fetch_until, message, subscribed
from tests.backends.tls_proxy import tls_in_front_of
from tests.certificates import certificates_in
from tests.servers import skip_where_absent

skip_where_absent("rabbitmq")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return certificates_in(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def port(tmp_path_factory, certificates):
    with (
        RunningEngine("rabbitmq", tmp_path_factory.mktemp("rabbitmq")) as server,
        tls_in_front_of(server.port, certificates.server) as port,
    ):
        yield port


def test_events_travel_over_tls(port, certificates):
    bus = open_bus(f"amqps://guest:guest@127.0.0.1:{port}/?prefix={uuid4().hex}&ssl_ca_certs={certificates.authority}")
    bus.register("readers", [MADE], from_beginning=True)
    sent = [message("a", number, body=f"{number}".ljust(3_000)) for number in range(500)]
    assert len(bus.publish(sent).accepted) == 500
    assert fetch_until(subscribed(bus, "readers"), 500) == [each.body for each in sent]
    bus.close()


@pytest.mark.parametrize(
    ("host", "is_trusted"), [("127.0.0.1", False), ("localhost", True)], ids=["of nobody we know", "for another host"]
)
def test_a_certificate_that_proves_nothing_is_refused(port, certificates, host, is_trusted):
    trust = f"?ssl_ca_certs={certificates.authority}" if is_trusted else ""
    bus = open_bus(f"amqps://guest:guest@{host}:{port}/{trust}")
    with pytest.raises(BusUnavailable, match=r"(?i)certificate verify failed"):
        bus.publish([message("a", 1)])
