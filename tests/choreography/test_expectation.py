"""The pure core, held against what it is for: any course, any order, any repetition, any moment."""

from datetime import UTC, datetime, timedelta

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bandstand.sagas.choreography.expectation import Expectation, Progress, State, Step, advance, judge

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WITHIN = timedelta(minutes=10)
EVENTS = "abcdefgh"
FINAL = {State.COMPLETED, State.DEVIATED}
several = settings(max_examples=100, deadline=None, derandomize=True, database=None)


@st.composite
def stages(draw, events):
    """One course through a permutation of some events, in stages of one or several."""
    chosen = draw(st.permutations(events))[: draw(st.integers(2, len(events)))]
    path, left = [], ["start", *chosen]
    while left:
        number = 1 if not path else draw(st.integers(1, min(3, len(left))))
        is_optional = bool(path) and number == 1 and draw(st.booleans()) and draw(st.booleans())
        steps = (Step(event=each, within=WITHIN, is_optional=is_optional) for each in left[:number])
        path.append(tuple(steps))
        left = left[number:]
    return tuple(path)


@st.composite
def expectations(draw):
    paths = draw(st.lists(stages(EVENTS), min_size=1, max_size=4))
    return Expectation(paths=tuple(paths), patience=timedelta(minutes=1))


def required(path):
    return {step.event for stage in path for step in stage if not step.is_optional}


def allowed(path):
    return {step.event for stage in path for step in stage}


def arrive(expectation, arrivals):
    """Take in (event, moment) one by one."""
    progress = Progress()
    for event, at in arrivals:
        progress = advance(expectation, progress.seen, event, at)
    return progress


@several
@given(expectations(), st.data())
def test_order_and_repetition_of_arrivals_do_not_matter(expectation, data):
    events = data.draw(st.lists(st.sampled_from(["start", *EVENTS]), min_size=1, unique=True))
    arrivals = [(event, NOW + timedelta(seconds=number)) for number, event in enumerate(events)]
    late = NOW + timedelta(seconds=data.draw(st.integers(0, 3_000)))
    shuffled = data.draw(st.permutations(arrivals + arrivals[: data.draw(st.integers(0, len(arrivals)))]))
    one, other = arrive(expectation, arrivals), arrive(expectation, shuffled)
    assert judge(expectation, one.seen, late) == judge(expectation, other.seen, late)


@several
@given(expectations(), st.data())
def test_a_journey_is_complete_when_its_events_are_those_of_one_course(expectation, data):
    events = data.draw(st.sets(st.sampled_from(["start", *EVENTS]), min_size=1))
    if data.draw(st.booleans()):  # else most sets fit no course
        events = events & allowed(data.draw(st.sampled_from(expectation.paths)))
    known = {event for event in events if any(event in allowed(path) for path in expectation.paths)}
    progress = judge(expectation, dict.fromkeys(events, NOW), NOW)
    fits = [path for path in expectation.paths if known <= allowed(path)]
    assert (progress.state is State.COMPLETED) == any(required(path) <= known for path in fits)
    assert (progress.state is State.DEVIATED) == (not fits)


@several
@given(expectations(), st.data())
def test_what_is_waited_for_is_overdue_from_its_moment_on_and_not_before(expectation, data):
    path = data.draw(st.sampled_from(expectation.paths))
    events = data.draw(st.permutations(sorted(allowed(path))))[: data.draw(st.integers(1, 5))]
    seen = {event: NOW + timedelta(seconds=number) for number, event in enumerate(events)}
    progress = judge(expectation, seen, NOW)
    assume(progress.state not in FINAL)
    assert progress.due_at is not None
    assert progress.waiting_for
    assert judge(expectation, seen, progress.due_at - timedelta(microseconds=1)).state is State.WATCHING
    assert judge(expectation, seen, progress.due_at).state in {State.STALLED, State.DEVIATED}


@several
@given(expectations(), st.data())
def test_a_contradiction_is_never_healed(expectation, data):
    events = data.draw(st.permutations(["start", *EVENTS]))
    progress = Progress()
    has_contradicted = False
    for event in events:
        progress = advance(expectation, progress.seen, event, NOW)
        assert progress.state is State.DEVIATED or not has_contradicted
        has_contradicted = has_contradicted or progress.state is State.DEVIATED


def course(*events):
    return tuple((Step(event=event, within=WITHIN),) for event in events)


def test_an_event_that_others_have_overtaken_is_waited_for_with_patience():
    expectation = Expectation(paths=(course("start", "a", "b"),), patience=timedelta(minutes=1))
    progress = arrive(expectation, [("start", NOW), ("b", NOW + WITHIN / 2)])
    assert (progress.state, progress.waiting_for) == (State.WATCHING, ("a",))
    assert progress.due_at == NOW + WITHIN / 2 + expectation.patience
    late = judge(expectation, progress.seen, progress.due_at)
    assert (late.state, late.note) == (State.DEVIATED, "a was passed over")
    assert advance(expectation, late.seen, "a", progress.due_at).state is State.COMPLETED


def test_it_has_stalled_only_when_no_course_is_left_that_may_still_go_on():
    slow = ((Step(event="start"),), (Step(event="b", within=WITHIN * 2),))
    expectation = Expectation(paths=(course("start", "a"), slow))
    assert judge(expectation, {"start": NOW}, NOW + WITHIN).state is State.WATCHING
    late = judge(expectation, {"start": NOW}, NOW + WITHIN * 2)
    assert (late.state, late.note) == (State.STALLED, "a or b is overdue")


def test_the_whole_journey_has_a_bound_of_its_own():
    expectation = Expectation(paths=(course("start", "a", "b"),), within=WITHIN * 3 / 2)
    progress = arrive(expectation, [("start", NOW), ("a", NOW + WITHIN)])
    assert progress.due_at == NOW + WITHIN * 3 / 2


def test_a_step_is_due_so_long_after_the_stage_before_it():
    both = (Step(event="a", within=WITHIN), Step(event="b", within=WITHIN * 2))
    expectation = Expectation(paths=((*course("start"), both, *course("c")),))
    assert judge(expectation, {"start": NOW}, NOW).due_at == NOW + WITHIN
    assert judge(expectation, {"start": NOW, "a": NOW}, NOW).due_at == NOW + WITHIN * 2
    later = NOW + WITHIN
    assert judge(expectation, {"start": NOW, "a": NOW, "b": later}, later).due_at == later + WITHIN


def test_what_goes_with_nothing_is_named():
    expectation = Expectation(paths=(course("start", "a"), course("start", "b")))
    progress = arrive(expectation, [("start", NOW), ("a", NOW), ("b", NOW)])
    assert (progress.state, progress.note) == (State.DEVIATED, "b does not go with a, start")


def test_events_that_are_no_longer_declared_are_kept_and_not_regarded():
    expectation = Expectation(paths=(course("start", "a"),))
    progress = judge(expectation, {"start": NOW, "gone": NOW, "a": NOW}, NOW)
    assert (progress.state, set(progress.seen)) == (State.COMPLETED, {"start", "gone", "a"})
