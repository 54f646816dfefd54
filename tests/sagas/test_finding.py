"""Finding sagas, in words and as JSON."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from bandstand.sagas import SagaExecution, starting
from tests.sagas.errand import Errand, Errands
from tests.sagas.stage import Stage

MOST = ["o1", "o2", "o3"]


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("sagas", *arguments, stdout=out, stderr=out)
    return out.getvalue()


def keys_of(*arguments: str) -> list[str]:
    return [one["key"] for one in json.loads(run("list", *arguments, "--json"))]


@pytest.fixture
def many(stage: Stage, keys: None) -> dict[str, str]:
    """Business key to id: o1 ended, o2 fails behind the pivot, o3 is unknown, ada waits for an approval."""
    ids = {"o1": stage.start("o1")}
    stage.settle(ids["o1"])
    stage.clock.advance(timedelta(hours=1))
    stage.shop.order("commit.do", "always:unsent")
    ids["o2"] = stage.start("o2")
    stage.drive()
    stage.clock.advance(20)
    stage.shop.order("capture.do", "always:lost_request")
    ids["o3"] = stage.start("o3")
    stage.clock.advance(0.001)
    ada = starting.start(Errand, Errands(owner="ada", places=("bank", "post")))
    assert ada is not None
    stage.drive()
    return {key: str(each) for key, each in {**ids, "ada": ada}.items()}


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ([], ["ada", "o3", "o2"]),
        (["--state", "unknown"], ["o3"]),
        (["--state", "completed"], ["o1"]),
        (["--state", "any"], ["ada", "o3", "o2", "o1"]),
        (["--type", "test_errand"], ["ada"]),
        (["--key", "o2"], ["o2"]),
        (["--step", "manager"], ["ada"]),
        (["--step", "capture"], ["o3"]),
        (["--older-than", "10s"], ["o2"]),
        (["--limit", "1"], ["ada"]),
        (["o1", "o3", "--state", "any"], ["o3", "o1"]),
        (["nothing"], []),
    ],
)
@pytest.mark.usefixtures("many")
def test_the_list_is_filtered_by_what_sagas_are_and_where_they_stand(filters: list[str], found: list[str]) -> None:
    assert keys_of(*filters) == found


def test_a_step_within_a_loop_is_found_though_it_is_not_the_first_at_hand(stage: Stage, many: dict[str, str]) -> None:
    run("approve", "ada")
    stage.worker.turn()
    assert stage.row(SagaExecution.objects.get(business_key="ada").pk).step == "visit:bank"
    assert keys_of("--step", "visit:post") == ["ada"]
    assert keys_of("--step", "visit") == ["ada"]


@pytest.mark.usefixtures("many")
def test_stuck_are_those_that_a_person_should_look_at(stage: Stage) -> None:
    assert keys_of("--stuck") == []
    for _ in range(80):
        stage.drive()
        stage.clock.advance(5)
    (one,) = [each for each in json.loads(run("list", "--stuck", "--json")) if each["key"] == "o2"]
    assert one["stuck"] == "failed 10 times"


@pytest.mark.usefixtures("many")
def test_the_table_says_why_and_whether_there_may_be_more(stage: Stage) -> None:
    listed = run("list")
    assert listed.splitlines()[0].split() == ["id", "type", "key", "state", "age", "why"]
    assert "unknown: capture, attempt 1, ServiceTimeoutError: no answer" in listed
    assert "--limit 1 is reached" in run("list", "--limit", "1")
    assert run("list", "--key", "nobody").startswith("no such sagas")


def test_one_is_named_by_id_by_its_beginning_or_by_its_key(many: dict[str, str]) -> None:
    for name in (many["o3"], many["o3"].replace("-", ""), many["o3"][:30], "o3"):
        assert json.loads(run("show", name, "--json"))["key"] == "o3"


def test_a_beginning_that_several_have_offers_them(many: dict[str, str]) -> None:
    with pytest.raises(CommandError, match=f"means several sagas: .*{many['o2']}"):
        run("show", many["o3"][:6])
    with pytest.raises(CommandError, match="there is no saga 'beef': give its id") as caught:
        run("show", "beef")
    assert caught.value.returncode == 3


def test_a_key_goes_before_an_id_that_begins_alike(stage: Stage) -> None:
    first = stage.start("one")
    key = str(first)[:8]
    second = stage.start(key)
    assert json.loads(run("show", key, "--json"))["id"] == str(second)
