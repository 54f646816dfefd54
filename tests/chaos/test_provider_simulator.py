"""What the simulator promises beyond the protocol: durability, recovery, draining, and a low cost."""

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import urllib3
from tests.chaos.provider_client import Caller, Receiver
from tests.chaos.provider_process import ProviderProcess
from tests.fleet_unit.fleets import until

from bandstand.chaos.provider.ledger import Ledger, LedgerBroken, LedgerDamaged, LedgerInUse
from bandstand.chaos.provider.records import Cancelled, ModeSet, encode
from bandstand.clock import now

NO_ANSWER = urllib3.exceptions.HTTPError


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[ProviderProcess]:
    process = ProviderProcess(tmp_path / "ledger.jsonl", "--slow-seconds", "1", "--late-seconds", "1")
    yield process
    process.kill()


@pytest.fixture
def caller(simulator: ProviderProcess) -> Iterator[Caller]:
    caller = Caller(simulator.url)
    yield caller
    caller.close()


def test_every_answered_charge_survives_a_kill(simulator: ProviderProcess, caller: Caller) -> None:
    answered: list[str] = []

    def charge_until_it_dies(worker: int) -> None:
        for number in range(10_000):
            try:
                caller.charge(f"{worker}-{number}-key")
            except NO_ANSWER:
                return
            answered.append(f"{worker}-{number}-key")

    with ThreadPoolExecutor(8) as pool:
        running = [pool.submit(charge_until_it_dies, worker) for worker in range(8)]
        until(lambda: len(answered) > 200)
        simulator.kill()
        for each in running:
            each.result()
    simulator.start()
    charges = caller.all()
    assert set(answered) <= set(charges)
    assert all(charge["captured"] == 1999 for charge in charges.values())
    assert caller.charge(answered[0]).status == 201


def test_tombstones_the_mode_and_refunds_survive_a_kill(simulator: ProviderProcess, caller: Caller) -> None:
    caller.cancel("tombstoned-key")
    caller.charge("refunded-key")
    caller.refund("refunded-key", "r1", 5)
    caller.control("down")
    simulator.kill()
    simulator.start()
    assert caller.charge("tombstoned-key").status == 503
    caller.control("up")
    assert caller.charge("tombstoned-key").status == 409
    assert caller.refund("refunded-key", "r1", 6).status == 422
    assert caller.show("refunded-key").data["refunded"] == 5


def test_a_late_charge_is_executed_after_a_restart(simulator: ProviderProcess, caller: Caller) -> None:
    with pytest.raises(NO_ANSWER):
        caller.charge("late-key", method="tok_late", timeout=0.2)
    simulator.kill()
    simulator.start()
    until(lambda: caller.show("late-key").data["captured"] == 1999)


def test_an_untaken_webhook_is_sent_after_a_restart(simulator: ProviderProcess, caller: Caller) -> None:
    receiver = Receiver(refusals=1)
    caller.request("PUT", "/v1/webhook", {"url": receiver.url, "secret": receiver.secret})
    caller.charge("told-key")
    until(lambda: receiver.taken)
    simulator.kill()
    simulator.start()
    until(lambda: len(receiver.of("told-key")) >= 2)
    receiver.close()


def test_sigterm_lets_a_running_charge_finish(simulator: ProviderProcess, caller: Caller) -> None:
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(caller.charge, "slow-key", method="tok_slow")
        until(lambda: caller.show("slow-key").status == 200)
        assert simulator.stop() == 0
        assert slow.result().status == 201
    simulator.start()
    assert caller.show("slow-key").data["captured"] == 1999


def test_a_torn_last_line_is_cut_off(simulator: ProviderProcess, caller: Caller) -> None:
    caller.charge("whole-key")
    simulator.kill()
    with simulator.ledger.open("ab") as file:
        file.write(b'{"type":"captured","key":"torn-k')
    simulator.start()
    caller.charge("next-key")
    assert set(caller.all()) == {"whole-key", "next-key"}
    assert all(json.loads(line) for line in simulator.ledger.read_text().splitlines())


def test_bodies_of_unknown_or_great_length_are_refused(simulator: ProviderProcess) -> None:
    port = int(simulator.url.rpartition(":")[2])
    for header, status in (
        (b"Transfer-Encoding: chunked", b"411"),
        (b"Content-Length: 100000", b"413"),
        (b"Content-Length: +5", b"400"),
    ):
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"PUT /v1/webhook HTTP/1.1\r\nHost: x\r\n" + header + b"\r\n\r\n")
            assert connection.recv(4096).split(b" ", 2)[1] == status


def test_a_ledger_has_one_owner(tmp_path: Path) -> None:
    first = Ledger(tmp_path / "ledger")
    with pytest.raises(LedgerInUse):
        Ledger(tmp_path / "ledger")
    first.close()


def test_a_damaged_line_in_the_middle_is_never_guessed_away(tmp_path: Path) -> None:
    line = encode(ModeSet(at=now(), mode="up"))
    (tmp_path / "ledger").write_bytes(line + b"no record\n" + line)
    with pytest.raises(LedgerDamaged):
        list(Ledger(tmp_path / "ledger").recover())


def test_nothing_is_reported_durable_that_could_not_be_written() -> None:
    ledger = Ledger(Path("/dev/full"))
    ledger.append(Cancelled(at=now(), key="some-key"))
    for _ in range(2):
        with pytest.raises(LedgerBroken):
            ledger.wait()


def test_a_charge_costs_less_than_a_millisecond_of_cpu(simulator: ProviderProcess, caller: Caller) -> None:
    process = psutil.Process(simulator.process.pid)
    before = sum(process.cpu_times()[:2])
    with ThreadPoolExecutor(32) as pool:
        statuses = set(pool.map(lambda number: caller.charge(f"{number:05}-key").status, range(2000)))
    spent = sum(process.cpu_times()[:2]) - before
    assert statuses == {201}
    assert spent / 2000 < 0.001, f"{spent / 2000 * 1000:.2f} ms a charge"
