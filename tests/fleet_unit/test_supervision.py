"""Processes come back, never outlive the launcher, and are replaced without losing a request."""

import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from bandstand.clock import monotonic
from bandstand.engines.ports import free_port
from bandstand.fleet.proc import children_of, owns_port
from tests.fleet_unit.fleets import MANIFEST, Fleet, is_gone, kill, until


@pytest.mark.parametrize("name", ["users", "gateway"])
def test_a_killed_process_comes_back(fleet: Fleet, name: str) -> None:
    before = fleet.pid_of(name)
    began = monotonic()
    kill(before)
    until(lambda: is_gone(before))
    until(lambda: fleet.run("status").returncode == 0, seconds=5)
    assert monotonic() - began < 5
    entry = next(entry for entry in fleet.status["processes"] if entry["name"] == name)
    assert entry["pid"] != before
    assert entry["restarts"] == 1
    assert fleet.ask("/api/v1/users/")[0] == 200


def test_nothing_outlives_a_killed_launcher(fleet: Fleet) -> None:
    found = fleet.status
    kill(found["launcher"]["pid"])
    until(lambda: all(is_gone(entry["pid"]) for entry in found["processes"]), seconds=2)
    with socket.socket() as probe:  # the port is free again
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", fleet.port))
    assert fleet.run("status").returncode == 3
    fleet.up()
    assert fleet.ask("/api/v1/orders/")[0] == 200


def test_a_planned_restart_loses_no_request(fleet: Fleet) -> None:
    before = fleet.pid_of("users")
    with fleet.load("/api/v1/users/") as answers:
        for _ in range(3):
            assert fleet.run("restart", "users").returncode == 0
    assert fleet.pid_of("users") != before
    assert set(answers) == {200}
    assert len(answers) > 50


def test_a_crash_during_a_planned_restart_leaves_one_process(fleet: Fleet) -> None:
    for _ in range(5):
        kill(fleet.pid_of("users"))
        assert fleet.run("restart", "users").returncode == 0
    until(lambda: fleet.run("status").returncode == 0)
    found = fleet.status
    assert sorted(children_of(found["launcher"]["pid"])) == sorted(entry["pid"] for entry in found["processes"])


def test_stopping_finishes_what_runs_and_leaves_nothing(fleet: Fleet) -> None:
    found = fleet.status
    done = fleet.run("down")
    assert done.returncode == 0
    assert all(is_gone(entry["pid"]) for entry in [found["launcher"], *found["processes"]])
    assert fleet.run("down").returncode == 3


def test_the_launcher_drains_on_sigint(fleet: Fleet) -> None:
    found = fleet.status
    kill(found["launcher"]["pid"], signal.SIGINT)
    until(lambda: all(is_gone(entry["pid"]) for entry in [found["launcher"], *found["processes"]]))
    assert "stopped" in (fleet.data / "logs" / "launcher.log").read_text()


def test_two_fleets_run_side_by_side(make_fleet: Callable[..., Fleet]) -> None:
    first, second = make_fleet("first"), make_fleet("second")
    first.up()
    second.up()
    assert first.status["launcher"] != second.status["launcher"]
    first.down()
    assert second.ask("/api/v1/users/")[0] == 200


def test_a_second_launcher_on_the_same_folder_is_refused(fleet: Fleet) -> None:
    done = fleet.run("up", "--port", str(free_port()))
    assert done.returncode == 2
    assert f"launcher with pid {fleet.status['launcher']['pid']}" in done.stderr
    assert "bandstand down" in done.stderr


def test_a_taken_port_names_who_listens(make_fleet: Callable[..., Fleet]) -> None:
    fleet = make_fleet()
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", fleet.port))
        holder.listen()
        done = fleet.run("up", "--port", str(fleet.port))
    assert done.returncode == 2
    assert f"port {fleet.port}" in done.stderr
    assert "listens there" in done.stderr
    assert "--port" in done.stderr


def test_a_service_that_does_not_start_ends_the_verb_with_its_log(make_fleet: Callable[..., Fleet]) -> None:
    broken = MANIFEST + '[services.broken]\ncommand = ["{{python}}", "-c", "raise SystemExit(\'out of strings\')"]\n'
    fleet = make_fleet(manifest=broken)
    done = fleet.run("up", "--detach", "--port", str(fleet.port))
    assert done.returncode == 4
    assert "broken does not start" in done.stderr
    assert "out of strings" in done.stderr


def test_a_stubborn_process_is_killed_in_the_end(make_fleet: Callable[..., Fleet]) -> None:
    stubborn = "\n[services.stubborn]\ncommand = [\"{{python}}\", \"{standin}\", \"{{port}}\"]\n" \
               "env = {{ STANDIN_NAME = \"stubborn\", STANDIN_STUBBORN = \"1\" }}\ngrace_seconds = 0.3\n"  # fmt: skip
    fleet = make_fleet(manifest=MANIFEST + stubborn)
    fleet.up()
    pid = fleet.pid_of("stubborn")
    assert fleet.run("down").returncode == 0
    assert is_gone(pid)


def test_a_deep_data_folder_is_no_problem_for_sockets(make_fleet: Callable[..., Fleet]) -> None:
    fleet = make_fleet("/".join(["deep" * 8] * 4))
    fleet.up()
    assert fleet.ask("/api/v1/users/")[0] == 200


def test_a_stranger_on_the_port_is_not_our_process() -> None:
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        port = stranger.getsockname()[1]
        assert not owns_port(1, port)
        own = int(Path("/proc/self").resolve().name)
        assert owns_port(own, port)


def test_services_come_and_go_with_the_manifest(fleet: Fleet) -> None:
    file = fleet.folder / "fleet.toml"
    before, old = file.read_text(), fleet.pid_of("users")
    extra = before.split("[services.orders]")[1].replace("orders", "reviews").replace("/users/{id}", "/users/{id}/all")
    with fleet.load("/api/v1/users/") as answers:
        file.write_text(f"{before}\n[services.reviews]{extra}")
        assert fleet.run("reload").returncode == 0
        assert fleet.ask("/api/v1/reviews/")[2]["service"] == "reviews"
        file.write_text(before)
        assert fleet.run("reload").returncode == 0
        assert fleet.ask("/api/v1/reviews/")[0] == 404
    assert set(answers) == {200}
    assert fleet.pid_of("users") == old
    assert "reviews" not in fleet.status["services"]


def test_a_wrong_manifest_changes_nothing_in_a_running_fleet(fleet: Fleet) -> None:
    (fleet.folder / "fleet.toml").write_text("[services.users]\n")
    done = fleet.run("reload")
    assert done.returncode != 0
    assert "needs either settings or command" in done.stderr
    assert fleet.ask("/api/v1/orders/")[0] == 200
