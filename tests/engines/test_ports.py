"""Ports for servers: free, different, and out of reach of outgoing connections."""

import socket
from pathlib import Path

import pytest

from bandstand.engines import ports


def test_ports_are_different_and_below_those_of_outgoing_connections():
    found = ports.free_ports(50)
    first_ephemeral = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert len(set(found)) == 50
    assert max(found) < first_ephemeral


def test_a_port_in_use_is_not_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    taken = ports.free_port()
    (tmp_path / "range").write_text(f"{taken + 2}\t60999\n")
    monkeypatch.setattr(ports, "_EPHEMERAL", tmp_path / "range")
    monkeypatch.setattr(ports, "_LOWEST", taken)
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", taken))
        assert ports.free_port() == taken + 1


def test_without_room_below_them_the_kernel_chooses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "range").write_text("1024\t65535\n")
    monkeypatch.setattr(ports, "_EPHEMERAL", tmp_path / "range")
    assert ports.free_port() >= 1024
