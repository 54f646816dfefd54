"""What a declaration is refused for, and how it is drawn."""

import re
from datetime import timedelta

import pytest

from bandstand.events import Event, registry
from bandstand.sagas.choreography import Choreography, all_of, either, maybe, then
from bandstand.sagas.choreography.checks import check_choreographies, check_choreography
from bandstand.sagas.choreography.declaration import choreographies
from bandstand.sagas.choreography.drawing import as_mermaid, as_text
from tests.choreography.world import HOUR, MINUTE, declare


@pytest.fixture
def events(declarations: None) -> dict[str, type[Event]]:
    made = {}
    for letter in "abcde":

        class Made(Event, name=f"other.{letter}.v1"):
            key: str

        made[letter] = Made
    return made


def journey(events, expects, **declared):
    body = {"__module__": __name__, "name": "trip", "key": "key", "starts_on": events["a"], "expects": expects}
    return type("Trip", (Choreography,), {**body, **declared})


FAULTY = {
    "E371": lambda e: journey(e, [then(e["b"], within=HOUR)], name="Not a name"),
    "E372 nothing": lambda e: journey(e, []),
    "E372 a text": lambda e: journey(e, ["other.b.v1"]),
    "E372 no event": lambda e: journey(e, [then(str, within=HOUR)]),
    "E372 one branch": lambda e: journey(e, [either(e["b"], within=HOUR)]),
    "E372 nothing of all": lambda e: journey(e, [all_of(within=HOUR)]),
    "E372 optional start": lambda e: journey(e, [then(e["b"], within=HOUR)], starts_on=maybe(e["a"])),
    "E373": lambda e: journey(e, [either(e["b"], e["c"], within=HOUR)] * 7),
    "E374": lambda e: journey(e, [then(e["b"], within=HOUR), maybe(e["b"])]),
    "E374 of all": lambda e: journey(e, [all_of(e["b"], e["b"], within=HOUR)]),
    "E375": lambda e: journey(e, [then(e["b"])]),
    "E375 in a branch": lambda e: journey(e, [either((then(e["b"], within=HOUR), e["c"]), e["d"], within=HOUR)]),
    "E376": lambda e: journey(e, [then(e["b"], within=HOUR, key="kee")]),
    "E376 of all": lambda e: journey(e, [then(e["b"], within=HOUR)], key="kee"),
}


@pytest.mark.parametrize("fault", FAULTY)
def test_a_faulty_declaration_is_refused_and_not_connected(fault, events):
    before = registry.consumers()
    found = list(check_choreography(FAULTY[fault](events)))
    assert {message.id for message in found} == {f"bandstand.{fault.partition(' ')[0]}"}
    assert all(message.hint for message in found)
    assert registry.consumers() == before


def test_a_sound_declaration_passes(declarations):
    assert list(check_choreography(declare().ParcelJourney)) == []


def test_a_bound_on_the_whole_bounds_every_step(events):
    assert list(check_choreography(journey(events, [events["b"]], within=HOUR))) == []


def test_a_declaration_that_nothing_watches_is_refused(declarations, settings):
    declare()
    settings.INSTALLED_APPS = [each for each in settings.INSTALLED_APPS if each != "bandstand.sagas.choreography"]
    assert [message.id for message in check_choreographies()] == ["bandstand.E377"]


def test_two_choreographies_of_one_name_are_refused(events):
    journey(events, [then(events["b"], within=HOUR)])
    with pytest.raises(ValueError, match="two choreographies are named 'trip'"):
        type("Other", (Choreography,), {"__module__": __name__, "name": "trip"})
    choreographies.forget("trip")


@pytest.fixture
def winding(events) -> type[Choreography]:
    """One with every word of the language."""
    expects = (
        all_of(events["b"], then(events["c"], within=MINUTE), within=HOUR),
        either(events["d"], (maybe(events["e"]), then(events["d"])), within=2 * HOUR + MINUTE),
    )
    return journey(events, expects, within=timedelta(days=1))


def test_it_is_drawn_as_text(winding):
    assert as_text(winding).splitlines() == [
        "trip, one for each key, within 1d",
        "  other.a.v1",
        "  all of, in any order",
        "    other.b.v1, within 1h",
        "    other.c.v1, within 1m",
        "  either",
        "    other.d.v1, within 2h 1m",
        "  or",
        "    maybe other.e.v1",
        "    other.d.v1, within 2h 1m",
    ]


def test_it_is_drawn_as_a_flowchart_in_which_every_course_can_be_followed(winding):
    lines = as_mermaid(winding).splitlines()
    assert lines[0] == "flowchart TD"
    names = dict(re.findall(r'(n\d+)\["other\.(\w)\.v1"\]', "\n".join(lines)))
    arrows = [(one, other) for one, other in re.findall(r"(n\d+) -\.?->(?:\|[^|]*\|)? (n\d+)", "\n".join(lines))]
    (end,) = re.findall(r"(n\d+)\(\[completed\]\)", "\n".join(lines))

    def walked(node: str) -> set[str]:
        if node == end:
            return {""}
        return {names.get(node, "") + rest for one, other in arrows if one == node for rest in walked(other)}

    assert walked("n0") == {"abd", "abed", "acd", "aced"}  # of a and b each, for both lead to where they join
    assert '-->|"within 1m"|' in as_mermaid(winding)


def test_events_name_their_journey_by_a_field_a_function_or_their_subject(events):
    found = journey(events, [then(events["b"], within=HOUR, key=lambda event, _: event.key), events["c"]], within=HOUR)
    steps = found.watched()
    assert found.key_of(steps["other.a.v1"]) == "key"
    assert callable(found.key_of(steps["other.b.v1"]))
    assert then(events["b"], key="").key == ""
