"""The pure engine where several steps are at hand: joins, wishes, waits, and what a person says of one of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from bandstand.sagas import (
    Approval,
    Each,
    Parallel,
    Saga,
    SagaStatus,
    SagaStep,
    StepCall,
    StepKind,
    Timer,
    engine,
)
from bandstand.sagas.protocol import (
    Answered,
    Asked,
    Begun,
    Call,
    CancelRequested,
    Decided,
    Due,
    End,
    EndingFailed,
    Event,
    Hurried,
    Outcome,
    Resolved,
    Resumed,
    TurnedBack,
    Withdrawn,
)
from bandstand.sagas.steps import Direction, Node

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OK, REFUSED, UNKNOWN, FAILED, SKIPPED = (
    Outcome.OK,
    Outcome.REFUSED,
    Outcome.UNKNOWN,
    Outcome.FAILED,
    Outcome.SKIPPED,
)


def nothing(call: StepCall) -> None:
    return None


def always(context: Any) -> bool:
    return True


def call(name: str, **values: Any) -> SagaStep:
    return SagaStep(name, do=nothing, undo=nothing, **values)


def behind(name: str, **values: Any) -> SagaStep:
    return SagaStep(name, do=nothing, kind=StepKind.RETRIABLE, **values)


def pivot(name: str) -> SagaStep:
    return call(name, kind=StepKind.PIVOT)


class Run:
    """One saga of these steps, taken through the engine; `calls` are those it has made."""

    def __init__(self, *steps: Node, deadline: timedelta | None = timedelta(seconds=120)) -> None:
        self.saga = type("Unnamed", (Saga,), {"steps": steps, "deadline": deadline})()
        self.now, self.calls, self.end = NOW, list[str](), None
        self.state = engine.born(self.saga, NOW)
        self.tell(Begun())

    def tell(self, *events: Event, after: float = 0) -> "Run":
        self.now += timedelta(seconds=after)
        for event in events:
            self.state, commands = engine.step(self.saga, self.state, event, self.now)
            self.calls += [f"{one.direction} {one.unit}" for one in commands if isinstance(one, Call)]
            self.end = next((one for one in commands if isinstance(one, End)), self.end)
        return self

    def hear(self, unit: str, outcome: Outcome = OK, *, after: float = 0) -> "Run":
        """An answer to the call of *unit* that is under way, or what it waits for."""
        return self.tell(Answered(unit, self.state.direction, outcome, reason="no"), after=after)

    def due(self) -> "Run":
        assert self.state.next_at is not None
        self.now = max(self.now, self.state.next_at)
        return self.tell(Due())

    def lose(self, unit: str) -> "Run":
        """A deploy takes this step away."""
        at = tuple(msgspec.structs.replace(one, unit="gone") if one.unit == unit else one for one in self.state.at)
        self.state = msgspec.structs.replace(self.state, at=at)
        return self

    @property
    def units(self) -> set[str]:
        return {position.unit for position in self.state.at}


# ---- wishes


@pytest.mark.parametrize("wish", [CancelRequested(), Withdrawn("expired"), TurnedBack("ordered")])
def test_a_wish_that_waited_for_one_branch_does_not_wait_for_what_another_awaits(wish):
    run = Run(Parallel("both", call("flight"), Approval("manager")), pivot("pay")).tell(wish)
    assert run.end is None
    assert run.hear("flight").calls[-1] == "undo flight"
    assert run.hear("flight").end is not None


def test_a_wish_is_heeded_before_a_step_that_could_only_go_forward():
    run = Run(call("reserve"), behind("commit")).tell(CancelRequested()).hear("reserve")
    assert run.calls[-1] == "undo reserve"


def test_a_wish_is_heeded_before_a_group():
    run = Run(call("reserve"), Each("lines", call("pick"), over=always)).tell(CancelRequested()).hear("reserve")
    assert run.calls[-1] == "undo reserve"


def test_a_step_withdrawn_while_the_last_one_is_called_is_not_completed():
    run = Run(call("reserve"), call("pack")).hear("reserve").tell(Withdrawn("expired")).hear("pack")
    assert run.calls[-1] == "undo pack"
    assert run.hear("pack").hear("reserve").end == End(SagaStatus.COMPENSATED, "expired")


def test_what_stands_beside_a_step_that_only_goes_forward_cannot_turn_back_either():
    run = Run(Parallel("papers", behind("invoice"), Timer("rest", until=timedelta(hours=1))))
    run.tell(Decided("rest", NOW + timedelta(hours=1)), CancelRequested()).hear("invoice")
    assert run.state.next_at == NOW + timedelta(hours=1)
    assert run.due().end == End(SagaStatus.COMPLETED, "")


def test_an_order_to_compensate_behind_the_pivot_waits_for_each_call_under_way():
    run = Run(pivot("pay"), Parallel("papers", behind("invoice"), behind("label"))).hear("pay")
    run.tell(TurnedBack("ordered")).hear("invoice")
    assert run.calls[-1] == "do label"
    run.hear("label", UNKNOWN)
    assert run.calls[-1] == "undo pay"
    assert run.hear("pay").end == End(SagaStatus.CANCELLED, "ordered")


def test_an_order_to_compensate_undoes_a_saga_whose_end_cannot_be_recorded():
    run = Run(call("reserve")).hear("reserve").tell(EndingFailed("locked"), TurnedBack("ordered"))
    assert run.calls[-1] == "undo reserve"
    assert run.hear("reserve").end == End(SagaStatus.CANCELLED, "ordered")


def test_a_wish_does_not_undo_a_saga_whose_end_cannot_be_recorded():
    run = Run(call("reserve")).hear("reserve").tell(EndingFailed("locked"), CancelRequested(), Withdrawn("expired"))
    assert run.due().end == End(SagaStatus.COMPLETED, "")


def test_an_order_to_compensate_does_not_rewrite_why_a_saga_has_turned_back():
    run = Run(Parallel("both", call("flight"), call("car"))).hear("car", REFUSED).tell(TurnedBack("ordered"))
    assert run.hear("flight").hear("flight").end == End(SagaStatus.COMPENSATED, "no")


def test_the_deadline_turns_back_what_waits_while_another_branch_is_called():
    run = Run(Parallel("both", call("flight", timeout=None), Approval("manager")), pivot("pay"))
    run.due()
    assert run.units == {"flight"}
    assert run.hear("flight").hear("flight").end == End(SagaStatus.CANCELLED, "deadline")


# ---- waits


def optional(**values: Any) -> Approval:
    return Approval("manager", optional=True, **values)


def test_an_optional_wait_behind_the_pivot_ends_in_time_whatever_was_wished_before():
    run = Run(pivot("pay"), optional(timeout=timedelta(minutes=1)), behind("commit"))
    run.tell(CancelRequested()).hear("pay").due()
    assert run.calls[-1] == "do commit"


def test_an_optional_wait_lasts_as_long_as_it_may_and_no_shorter():
    run = Run(optional(timeout=timedelta(days=3)), deadline=None)
    while run.end is None:
        run.due()
    assert run.now == NOW + timedelta(days=3)


@pytest.mark.parametrize("step", [call("quote", when=always), Timer("rest", until=timedelta(1)), Approval("manager")])
def test_what_could_not_be_read_is_visible_and_read_again(step):
    run = Run(step).tell(Answered(step.name, Direction.DO, FAILED, error="KeyError: 'price'"))
    assert run.state.error == "KeyError: 'price'"
    assert run.state.next_at is not None


def test_a_group_whose_condition_cannot_be_read_gives_up_at_the_deadline():
    run = Run(call("reserve"), Parallel("both", call("flight"), when=always)).hear("reserve")
    run.hear("both", FAILED, after=121).due()
    assert run.calls[-1] == "undo reserve"


# ---- empty groups


def test_an_empty_group_in_a_branch_does_not_let_the_join_pass():
    run = Run(Parallel("both", Parallel("none"), call("flight")), pivot("pay"))
    assert run.calls == ["do flight"]


@pytest.mark.parametrize("group", [Parallel("none"), Parallel("hollow", []), Each("loop", over=always)])
def test_an_empty_group_is_done_before_it_begins(group):
    assert Run(group, call("reserve")).calls == ["do reserve"]


def test_a_loop_over_nothing_is_passed_over():
    run = Run(Each("lines", call("pick"), over=always), call("reserve")).tell(Decided("lines", ()))
    assert run.calls == ["do reserve"]


def test_a_group_all_of_whose_steps_are_not_needed_is_passed_over():
    run = Run(Parallel("both", call("flight", when=always), [call("car", when=always)]), call("reserve"))
    run.tell(Decided("flight", False))
    assert run.calls == []
    assert run.tell(Decided("car", False)).calls == ["do reserve"]


def test_items_one_by_one_wait_for_all_branches_of_the_item_before():
    inside = Parallel("both", call("pick"), [call("weigh"), call("label")])
    run = Run(Each("lines", inside, over=always, one_by_one=True)).tell(Decided("lines", ("a", "b")))
    first = {one.partition(" ")[2] for one in run.calls}
    pick, weigh = sorted(first)
    run.hear(pick).hear(weigh)
    assert len(run.calls) == 3
    run.hear(run.calls[-1].partition(" ")[2])
    assert len(run.calls) == 5


# ---- what a person says


def test_a_no_of_a_person_does_not_vouch_for_the_call_under_way():
    run = Run(call("reserve")).tell(Resolved("reserve", REFUSED, "nothing there"))
    assert run.calls[-1] == "undo reserve"
    assert run.hear("reserve").end == End(SagaStatus.COMPENSATED, "nothing there")


def test_a_step_skipped_while_it_is_called_is_undone_like_any_doubtful_one():
    run = Run(call("reserve"), pivot("pay")).tell(Resolved("reserve", SKIPPED))
    assert run.state.buried == ("reserve",)


def test_nobody_can_skip_the_end():
    run = Run(call("reserve")).hear("reserve").tell(EndingFailed("locked"), Resolved("~end", SKIPPED))
    assert run.due().end == End(SagaStatus.COMPLETED, "")


def test_skipping_a_step_that_a_deploy_took_away_leads_on_behind_the_one_before_it():
    run = Run(call("reserve"), call("weigh"), pivot("pay")).hear("reserve").lose("weigh").tell(Resumed())
    assert run.state.status is SagaStatus.PARKED
    run.saga = type("Later", (Saga,), {"steps": (call("reserve"), pivot("pay"))})()
    assert run.tell(Resolved("gone", SKIPPED)).calls[-1] == "do pay"


def test_a_step_that_a_deploy_took_away_from_a_branch_holds_the_join():
    run = Run(Parallel("both", call("flight"), [call("car"), call("seat")]), pivot("pay")).lose("car").tell(Resumed())
    run.hear("flight")
    assert run.state.status is SagaStatus.PARKED
    assert run.tell(Resolved("gone", SKIPPED)).units == {"gone"}, "nobody knows whether a seat is due"


def test_people_are_asked_once_however_long_they_take_and_whoever_hurries():
    run = Run(Approval("manager", ask=nothing), deadline=None).tell(Asked("manager", Direction.DO))
    for _ in range(3):
        run.tell(Due(), Hurried(), Resumed(), after=timedelta(days=1).total_seconds())
    assert run.calls == ["do manager"]
    assert run.state.next_at is not None


def test_people_who_could_not_be_asked_are_asked_again():
    run = Run(Approval("manager", ask=nothing), deadline=None)
    run.tell(Answered("manager", Direction.DO, FAILED, error="the bus is away"))
    run.tell(Due(), after=60)
    assert run.calls == ["do manager"] * 2
    run.tell(Asked("manager", Direction.DO), Due(), after=90_000)
    assert run.calls == ["do manager"] * 2


def test_a_step_asked_while_a_wish_came_is_not_waited_for():
    run = Run(Approval("manager", ask=nothing)).tell(CancelRequested(), Asked("manager", Direction.DO))
    assert run.end == End(SagaStatus.CANCELLED, "requested")
