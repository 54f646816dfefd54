"""The command line: fast help, one clear message for each failure, the documented exit codes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bandstand.cli.verbs import bandstand as command_line
from tests.fleet_unit.fleets import Fleet, bandstand

ROOT = Path(__file__).parents[2]
WITHOUT_FLEET = {("sagas", "prove"), ("sagas", "record"), ("sagas", "replay")}


def test_help_loads_no_verb_and_nothing_heavy() -> None:
    code = (
        "import sys\nfrom bandstand.cli import main\ntry:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print(*sorted(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "up " in done.stdout
    assert "Exit codes" in done.stdout
    loaded = set(done.stderr.split())
    assert not {"django", "asyncio", "msgspec", "rich", "bandstand.fleet", "bandstand.cli.up"} & loaded


@pytest.mark.parametrize("verb", command_line.list_commands(None))  # type: ignore[arg-type]
def test_every_verb_explains_itself_and_takes_a_data_folder_unless_it_needs_no_fleet(verb: str) -> None:
    def helped(*words: str) -> str:
        done = bandstand(*words, "--help")
        assert done.returncode == 0, done.stderr
        return str(done.stdout)

    text = helped(verb)
    listed, _, _ = text.partition("Commands:")[2].partition("\n\n")
    children = [line.split()[0] for line in listed.splitlines() if line.strip()]
    for child in children or [""]:
        shown = helped(verb, child) if child else text
        assert ("--data" in shown) is ((verb, child) not in WITHOUT_FLEET)


def test_a_misspelt_verb_is_a_usage_error_with_a_suggestion() -> None:
    done = bandstand("stauts")
    assert done.returncode == 2
    assert "Did you mean 'status'?" in done.stderr


@pytest.mark.parametrize("words", [["status"], ["down"], ["restart", "users"], ["reload"]])
def test_what_needs_a_running_fleet_ends_with_3(tmp_path: Path, words: list[str]) -> None:
    done = bandstand(*words, "--data", tmp_path / "nothing", "--fleet", ROOT / "fleet.toml")
    assert done.returncode == 3
    assert "bandstand up" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_manifest_one_sentence_says_so(tmp_path: Path) -> None:
    done = bandstand("up", cwd=tmp_path)
    assert done.returncode == 2
    assert "fleet.toml" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unexpected_error_leaves_its_traceback_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{"control": 7}')
    words = ["status", "--data", tmp_path, "--fleet", ROOT / "fleet.toml"]
    done = bandstand(*words)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    kept = Path(done.stderr.partition("traceback is in ")[2].partition(";")[0])
    assert "Traceback" in kept.read_text()
    kept.unlink()
    assert "Traceback" in bandstand("--debug", *words).stderr


def test_status_has_exactly_the_documented_shape(shared_fleet: Fleet) -> None:
    found = json.loads(shared_fleet.run("status", "--json").stdout)
    assert set(found) == {"launcher", "gateway", "provider", "bus", "services", "processes"}
    assert set(found["launcher"]) == {"pid"}
    assert found["bus"].startswith("embedded:////")
    for service in found["services"].values():
        assert set(service) == {"url", "database"}
    names = ["name", "role", "pid", "ppid", "state", "url", "version", "restarts", "started_at"]
    for process in found["processes"]:
        assert list(process) == names
        assert process["ppid"] == found["launcher"]["pid"]
        assert process["state"] == "ready"
    assert [(process["name"], process["role"]) for process in found["processes"]] == [
        ("users", "server"), ("orders", "server"), ("gateway", "gateway"),
    ]  # fmt: skip


def test_status_for_people_names_every_process(shared_fleet: Fleet) -> None:
    done = shared_fleet.run("status")
    assert done.returncode == 0
    for word in ("users", "orders", "gateway", "ready", "memory"):
        assert word in done.stdout


def test_logs_show_one_service_or_all(shared_fleet: Fleet) -> None:
    one = shared_fleet.run("logs", "users")
    assert "listening on" in one.stdout
    assert "orders" not in one.stdout
    everything = shared_fleet.run("logs")
    assert {"users", "orders"} <= {line.split()[0] for line in everything.stdout.splitlines()}
    missing = shared_fleet.run("logs", "nobody")
    assert missing.returncode == 3
    assert "there are:" in missing.stderr


def test_restarting_what_is_not_there_names_what_is(shared_fleet: Fleet) -> None:
    done = shared_fleet.run("restart", "nobody")
    assert done.returncode == 3
    assert "users, orders, gateway" in done.stderr


def test_the_doctor_names_a_taken_port(shared_fleet: Fleet) -> None:
    done = shared_fleet.run("doctor", "--port", str(shared_fleet.port))
    assert done.returncode == 1
    assert f"port {shared_fleet.port}: cannot be used" in done.stdout
    assert "envoy" in done.stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["events", "outbox", "nobody"], 3, "there are: users"),
        (["events", "publish", "nobody.rang.v1", "--payload", "{}"], 3, "begins with no service"),
        (["events", "tail", "--since", "yesterday"], 2, "is no moment"),
        (["dlq", "show", "17"], 2, "`bandstand dlq list` shows them"),
        (["dlq", "list"], 1, "users: the database cannot be used"),
        (["sagas", "list", "orders"], 1, "orders: the database cannot be used"),
        (["sagas", "list", "users"], 3, "users has no sagas"),
        (["sagas", "show"], 2, "[SERVICE] SAGA"),
        (["sagas", "resolve", "orders", "x", "--outcome", "perhaps"], 2, "'did-not-happen'"),
        (["sagas", "cancel", "orders", "users", "x"], 2, "Name one saga"),
        (["tasks", "list", "orders"], 3, "orders runs no tasks"),
        (["choreographies", "list", "orders"], 3, "orders watches no journeys"),
        (["tasks", "list", "--state", "lost"], 2, "'successful'"),
        (["tasks", "retry", "orders", "17"], 2, "not a valid UUID"),
        (["dlq", "replay"], 2, "choose them by a filter"),
        (["dlq", "discard", "orders", "--all", "019b76da-a800-7000-8000-000000000001"], 2, "choose them by a filter"),
    ],
)
def test_what_is_said_wrongly_about_events_is_told_before_any_service_is_asked(
    tmp_path: Path, words: list[str], code: int, said: str
) -> None:
    done = bandstand(*words, "--data", tmp_path / "nothing", "--fleet", ROOT / "fleet.toml")
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr
