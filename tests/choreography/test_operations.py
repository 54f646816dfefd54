"""What a person is shown, and can do."""

import json
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from django.core.management import CommandError, call_command
from prometheus_client import REGISTRY

from bandstand.events.models import EventAction
from tests.choreography.world import HOUR, World


@pytest.fixture
def command(capsys):
    def run(*words: str) -> str:
        call_command("choreographies", *words)
        return capsys.readouterr().out.rstrip()

    return run


@pytest.fixture
def stalled(world: World) -> World:
    """Of three parcels one has arrived, one is under way, and one is missed."""
    world.send("p1", "p2")
    world.collected("p1")
    world.delivered("p1")
    world.wait(HOUR)
    world.send("p3")
    return world


def test_the_list_names_what_has_not_completed_and_what_it_waits_for(stalled, command):
    lines = command("list").splitlines()
    assert [line.split()[:3] for line in lines[1:]] == [
        ["watching", "parcel_journey", "p3"],
        ["stalled", "parcel_journey", "p2"],
    ]
    assert "carrier.parcel_collected.v1 is overdue" in lines[2]
    (one,) = json.loads(command("list", "--state", "stalled", "--json"))
    assert (one["key"], one["waiting_for"]) == ("p2", ["carrier.parcel_collected.v1"])
    assert command("list", "--name", "other") == "no such journeys"
    assert len(json.loads(command("list", "--limit", "1", "--json"))) == 1


def test_one_is_shown_with_what_was_seen_of_it(stalled, command):
    lines = command("show", "p2").splitlines()
    assert lines[0] == "p2 stalled: carrier.parcel_collected.v1 is overdue"
    assert lines[2].split() == ["2026-01-01T12:00:00.000Z", "project.parcel_sent.v1"]
    assert lines[3].split()[:4] == ["->", "waited", "for", "carrier.parcel_collected.v1,"]
    (facts,) = json.loads(command("show", "p2", "--json"))
    assert facts["seen"] == {"project.parcel_sent.v1": "2026-01-01T12:00:00.000Z"}


def test_what_is_not_there_is_said(stalled, command):
    with pytest.raises(CommandError, match="there is no journey 'p9'") as raised:
        command("show", "p9")
    assert raised.value.returncode == 3
    with pytest.raises(CommandError, match="there is no choreography 'other'; there are: parcel_journey"):
        command("draw", "other")


def test_the_declaration_is_drawn(world, command):
    assert command("draw").startswith("parcel_journey, one for each parcel\n")
    assert command("draw", "parcel_journey", "--mermaid").startswith("flowchart TD")


def test_what_was_dealt_with_is_dismissed_and_audited_and_moves_on_when_an_event_comes(stalled, command):
    command("dismiss", "parcel_journey", "p2", "--by", "ann", "--note", "found on the shelf")
    assert stalled.state("p2") == "dismissed"
    audited = EventAction.objects.values_list("actor", "action", "type", "after", "note")
    assert list(audited) == [("ann", "discard", "parcel_journey", "p2", "found on the shelf")]
    with pytest.raises(CommandError, match="that has stalled or deviated"):
        command("dismiss", "parcel_journey", "p2")
    stalled.collected("p2")
    assert stalled.state("p2") == "watching"
    stalled.delivered("p2")
    stalled.wait(timedelta(days=8))
    with pytest.raises(CommandError):
        command("show", "p2")


def test_the_alert_rules_of_the_documentation_ask_for_metrics_that_there_are(world):
    text = (Path(__file__).parents[2] / "docs/reference/choreographies.md").read_text()
    (rules,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    (group,) = yaml.safe_load(rules)["groups"]
    asked = {name for rule in group["rules"] for name in re.findall(r"choreography_\w+", rule["expr"])}
    offered = {f"{each.name}_total" if each.type == "counter" else each.name for each in REGISTRY.collect()}
    assert asked == {"choreography_stalled", "choreography_total"}
    assert asked <= offered


def test_the_fleet_is_asked_through_the_command_line():
    command = [sys.executable, "-m", "bandstand.cli", "choreographies", "draw"]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("order_journey, one for each order_id\n  orders.order_placed.v1\n")


def test_journeys_are_read_in_the_admin_and_nothing_else(tmp_path):
    command = [sys.executable, "-m", "tests.choreography.with_admin", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[200, 200, 403, 403, 403] True"
