"""`sagas show`: every attempt with what it was given and returned, and what was said meanwhile."""

import json
from io import StringIO

import pytest
from django.core.management import call_command

from bandstand.sagas import starting
from tests.sagas.errand import Errand, Errands
from tests.sagas.stage import Stage


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("sagas", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def told(stage: Stage, keys: None) -> dict[str, object]:
    """An errand that was annotated, approved, and has ended."""
    saga_id = starting.start(Errand, Errands(owner="ada", places=("bank",), pin="1234"))
    assert saga_id is not None
    stage.drive()
    stage.clock.advance(1)
    run("annotate", "ada", "--by", "grace", "--note", "she is in a hurry")
    run("approve", "ada", "--by", "grace")
    stage.settle(saga_id, seconds=20_000)
    return json.loads(run("show", "ada", "--json"))  # type: ignore[no-any-return]


def lines(told: dict[str, object], step: str) -> list[dict[str, object]]:
    return [line for line in told["log"] if line["step"] == step]  # type: ignore[attr-defined]


def test_what_a_step_was_given_is_the_first_context_with_all_that_was_returned_before(told: dict[str, object]) -> None:
    first, _ = lines(told, "quote")
    assert (first["outcome"], first["input"]["price"]) == ("intent", 0)  # type: ignore[index]
    intent, outcome = lines(told, "pay")
    assert intent["input"]["price"] == 4200  # type: ignore[index]
    assert (outcome["outcome"], outcome["seconds"]) == ("ok", 0.0)
    assert str(intent["key"]).endswith(":pay")
    assert intent["worker"]


def test_sensitive_values_are_dots_wherever_they_pass(told: dict[str, object]) -> None:
    assert lines(told, "quote")[1]["output"] == {"price": 4200, "pin": "•••"}
    assert lines(told, "pay")[0]["input"]["pin"] == "•••"  # type: ignore[index]
    text = json.dumps(told) + run("show", "ada", "--full")
    assert "1234" not in text
    assert "0000" not in json.dumps(lines(told, "quote"))


def test_what_people_said_stands_between_the_attempts(told: dict[str, object]) -> None:
    said = [(one["name"], one["said_by"], one["note"]) for one in told["signals"]]  # type: ignore[attr-defined]
    assert said == [("annotate", "grace", "she is in a hurry"), ("approved", "grace", "")]
    shown = [line.strip() for line in run("show", "ada").splitlines()]
    noted = next(n for n, line in enumerate(shown) if "* annotate by grace  she is in a hurry" in line)
    assert any("do keys (1): skipped after 1h," in line for line in shown)
    assert any("do quote (1): ok" in line for line in shown[:noted])
    assert any("do pay (1): ok" in line for line in shown[noted:])


def test_an_attempt_without_an_answer_is_shown_as_under_way(stage: Stage) -> None:
    saga_id = stage.start("o1")
    assert "do validate (1): under way" in run("show", str(saga_id))


def test_full_shows_what_each_step_was_given(stage: Stage) -> None:
    saga_id = stage.start("o2")
    assert 'given {"order": "o2"}' not in run("show", str(saga_id))
    assert 'given {"order": "o2"}' in run("show", str(saga_id), "--full")
