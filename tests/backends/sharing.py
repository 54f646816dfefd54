"""For a bus whose groups are read by several processes at once (`shares_groups`)."""

import itertools
from collections.abc import Iterator, Sequence

import pytest

from bandstand import clock
from bandstand.events.backends import Bus, Subscription, open_bus
from tests.backends.steps import MADE, message, run, subscribed, take
from tests.backends.suite import WithBus

SUBJECTS = [f"subject-{number}" for number in range(24)]


class SharedReaders(WithBus):
    """The work of a group is divided by subjects, and goes over when a reader comes, leaves or dies."""

    @pytest.fixture
    def other(self, url: str) -> Iterator[Bus]:
        other = open_bus(url)
        yield other
        other.close()

    def test_two_readers_divide_the_subjects_and_keep_the_order_of_each(self, bus, other):
        bus.register("readers", [MADE], from_beginning=True)
        readers = [subscribed(bus, "readers"), subscribed(other, "readers")]
        rounds = list(_published_until_all_read(bus, readers))
        assert {who for _, who in rounds[-1]} == {0, 1}, "one reader still has everything"
        _assert_complete_and_in_order([body for round_ in rounds for body, _ in round_], rounds=len(rounds))
        for subject in SUBJECTS:
            assert len({who for body, who in rounds[-1] if body.startswith(f"{subject}:")}) == 1

    def test_a_reader_that_leaves_hands_over_exactly_what_it_did_not_acknowledge(self, bus, other):
        bus.register("readers", [MADE], from_beginning=True)
        bus.publish([message(subject, number) for number in range(3) for subject in SUBJECTS])
        first = subscribed(bus, "readers")
        deliveries = take(first, 3 * len(SUBJECTS))
        first.ack(deliveries[29].position)
        first.flush()
        second = subscribed(other, "readers")
        first.close()
        left = [delivery.message.body for delivery in deliveries[30:]]
        assert sorted(each.message.body for each in take(second, len(left), seconds=20)) == sorted(left)

    def test_the_work_of_a_killed_reader_goes_to_the_other(self, url, bus):
        bus.register("readers", [MADE], from_beginning=True)
        bus.publish([message(subject, number) for number in range(3) for subject in SUBJECTS])
        actor = run("hold", url, "readers", str(3 * len(SUBJECTS)))
        assert actor.stdout.readline().startswith("holding")
        survivor = subscribed(bus, "readers")
        actor.kill()
        actor.communicate()
        found = [each.message.body for each in take(survivor, 3 * len(SUBJECTS), seconds=30)]
        _assert_complete_and_in_order(found, rounds=3)


def _published_until_all_read(bus: Bus, readers: Sequence[Subscription]) -> Iterator[list[tuple[str, int]]]:
    """Rounds of one event per subject, each with who read what, until every reader has read something; and one more."""
    deadline = clock.monotonic() + 30
    idle = set(range(len(readers)))
    for number in itertools.count():
        assert clock.monotonic() < deadline, f"readers {idle} got nothing"
        was_divided = not idle
        sent = [message(subject, number) for subject in SUBJECTS]
        bus.publish(sent)
        round_ = _read(readers, {each.body for each in sent})
        idle -= {who for _, who in round_}
        yield round_
        if was_divided:
            return


def _read(readers: Sequence[Subscription], wanted: set[str]) -> list[tuple[str, int]]:
    """What comes until all of *wanted* has; a partition that moves may bring earlier events again."""
    found: list[tuple[str, int]] = []
    deadline = clock.monotonic() + 20
    while not wanted <= {body for body, _ in found}:
        assert clock.monotonic() < deadline, "not everything was delivered"
        for who, reader in enumerate(readers):
            deliveries = reader.fetch(100)
            found += [(delivery.message.body, who) for delivery in deliveries]
            if deliveries:
                reader.ack(deliveries[-1].position)
    return found


def _assert_complete_and_in_order(found: Sequence[str], *, rounds: int) -> None:
    once = list(dict.fromkeys(found))
    for subject in SUBJECTS:
        mine = [body for body in once if body.startswith(f"{subject}:")]
        assert mine == [f"{subject}:{number}" for number in range(rounds)]
