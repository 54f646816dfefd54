"""What every bus must do. A backend's test module subclasses `BusSuite` and provides the fixture `url`."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta

import pytest

from bandstand import clock
from bandstand.events.backends import Bus, BusUnavailable, open_bus
from tests.backends.steps import (
    MADE,
    SECOND,
    SOLD,
    again,
    bodies,
    fetch_until,
    lags,
    message,
    run,
    settle,
    subscribed,
    take,
    taken,
    waits,
)


class WithBus:
    @pytest.fixture
    def bus(self, url: str) -> Iterator[Bus]:
        bus = open_bus(url)
        yield bus
        bus.close()


class Deliveries(WithBus):
    """Order, redelivery, duplicates, refusals, backpressure."""

    def test_what_is_published_is_delivered_in_order(self, bus):
        bus.register("readers", [MADE], from_beginning=True)
        sent = [message("a", number) for number in range(250)]
        published = bus.publish(sent)
        assert published.accepted == {each.event_id for each in sent}
        assert not published.refused
        found = fetch_until(subscribed(bus, "readers"), 250)
        assert found == [each.body for each in sent]

    def test_a_delivery_carries_the_message_as_it_was(self, bus):
        bus.register("readers", [MADE], from_beginning=True)
        sent = message("ä/ b", 1, body='{"text": "grün \U0001f600\\u0000"}')
        bus.publish([sent])
        (delivery,) = take(subscribed(bus, "readers"), 1)
        assert delivery.message == sent

    def test_every_group_gets_every_event_of_its_types_and_no_other(self, bus):
        bus.register("makers", [MADE], from_beginning=True)
        bus.register("sellers", [SOLD], from_beginning=True)
        bus.register("both", [MADE, SOLD], from_beginning=True)
        bus.publish([message("a", 1), message("a", 2, type_=SOLD), message("a", 3, type_="shop.other.v1")])
        bus.publish([message("a", 4), message("a", 5, type_=SOLD)])
        assert taken(subscribed(bus, "makers"), 2) == ["a:1", "a:4"]
        assert taken(subscribed(bus, "sellers"), 2) == ["a:2", "a:5"]
        assert taken(subscribed(bus, "both"), 4) == ["a:1", "a:2", "a:4", "a:5"]

    def test_subscribing_returns_at_once_and_leaves_room_for_the_next(self, bus):
        for group in ("first", "second", "third"):
            bus.register(group, [MADE], from_beginning=True)
        open_ones = [subscribed(bus, group) for group in ("first", "second", "third")]
        bus.publish([message("a", 1)])
        assert [taken(each, 1) for each in open_ones] == [["a:1"]] * 3

    def test_what_was_not_acknowledged_is_delivered_again(self, bus):
        bus.register("readers", [MADE], from_beginning=True)
        bus.publish([message("a", number) for number in range(4)])
        first = subscribed(bus, "readers")
        deliveries = take(first, 4)
        first.ack(deliveries[1].position)
        first.close()
        assert taken(subscribed(bus, "readers"), 2) == ["a:2", "a:3"]

    def test_one_subscription_hands_out_each_delivery_once(self, bus):
        bus.register("readers", [MADE], from_beginning=True)
        bus.publish([message("a", number) for number in range(4)])
        subscription = subscribed(bus, "readers")
        assert taken(subscription, 3) == ["a:0", "a:1", "a:2"]
        assert taken(subscription, 1) == ["a:3"]
        assert bodies(subscription, 3) == []

    def test_a_group_resumes_after_a_restart_where_it_acknowledged(self, url, bus):
        bus.register("readers", [MADE], from_beginning=True)
        bus.publish([message("a", 0)])
        subscription = subscribed(bus, "readers")
        subscription.ack(take(subscription, 1)[0].position)
        subscription.close()
        bus.publish([message("a", 1)])
        bus.close()
        reopened = open_bus(url)
        reopened.register("readers", [MADE], from_beginning=True)
        assert taken(subscribed(reopened, "readers"), 1) == ["a:1"]
        reopened.close()


class Groups(WithBus):
    """Registration, places, lag."""

    def test_a_late_group_may_begin_at_the_end(self, bus):
        bus.publish([message("a", 1)])
        bus.register("fresh", [MADE], from_beginning=False)
        bus.publish([message("a", 2)])
        assert taken(subscribed(bus, "fresh"), 1) == ["a:2"]

    def test_registering_again_keeps_the_place_and_changes_the_types(self, bus):
        bus.register("readers", [MADE], from_beginning=True)
        bus.publish([message("a", 1)])
        subscription = subscribed(bus, "readers")
        subscription.ack(take(subscription, 1)[0].position)
        subscription.close()
        bus.register("readers", [MADE, SOLD], from_beginning=True)
        bus.publish([message("a", 2, type_=SOLD)])
        assert taken(subscribed(bus, "readers"), 1) == ["a:2"]

    def test_a_duplicate_is_delivered_and_never_lost(self, bus):
        bus.register("readers", [MADE], from_beginning=True)
        sent = message("a", 1)
        bus.publish([sent])
        assert bus.publish([sent]).accepted == {sent.event_id}
        assert set(fetch_until(subscribed(bus, "readers"), 1)) == {"a:1"}

    def test_a_refused_event_holds_back_only_its_own_subject(self, bus):
        bus.register("readers", [MADE], from_beginning=True)
        huge = message("a", 2, body="x" * 3_000_000)
        sent = [message("a", 1), huge, message("a", 3), message("b", 4)]
        published = bus.publish(sent)
        assert list(published.refused) == [huge.event_id]
        assert published.accepted == {sent[0].event_id, sent[3].event_id}
        assert sorted(taken(subscribed(bus, "readers"), 2)) == ["a:1", "b:4"]

    def test_a_slow_group_is_bounded_in_memory_and_loses_nothing(self, bus):
        bus.register("slow", [MADE], from_beginning=True)
        subscription = subscribed(bus, "slow")
        for start in range(0, 2000, 500):
            bus.publish([message("a", number) for number in range(start, start + 500)])
            take(subscription, 10)
        (report,) = bus.groups()
        assert report.lag == 2000
        assert fetch_until(subscription, 1960) == [f"a:{number}" for number in range(40, 2000)]

    def test_lag_counts_what_is_not_acknowledged(self, bus):
        bus.register("readers", [MADE], from_beginning=True)
        bus.publish([message("a", 1), message("a", 2), message("a", 3, type_=SOLD)])
        subscription = subscribed(bus, "readers")
        subscription.ack(take(subscription, 1)[0].position)
        subscription.flush()
        (report,) = bus.groups()
        assert (report.name, report.types) == ("readers", (MADE,))
        assert 1 <= report.lag <= 2  # a bus may count what others read in between

    def test_a_drained_group_has_no_lag_even_where_foreign_types_follow(self, bus):
        bus.register("readers", [MADE], from_beginning=True)
        bus.publish([message("a", 1), message("a", 2, type_=SOLD)])
        subscription = subscribed(bus, "readers")
        subscription.ack(take(subscription, 1)[-1].position)
        deadline = clock.monotonic() + 10
        while lags(bus) != [0] and clock.monotonic() < deadline:
            assert bodies(subscription) == []
            subscription.flush()
        subscription.close()
        assert lags(bus) == [0]

    def test_an_unregistered_group_cannot_subscribe(self, bus):
        with pytest.raises(BusUnavailable, match="not registered"):
            bus.subscribe("nobody")


class Processes(WithBus):
    """Several publishers and readers, wake-ups, and what dies on the way."""

    def test_concurrent_publishers_lose_nothing_and_keep_order_per_subject(self, url, bus):
        bus.register("readers", [MADE], from_beginning=True)
        actors = [run("publish", url, MADE, f"subject-{number}", "200") for number in range(3)]
        assert [actor.wait(30) for actor in actors] == [0, 0, 0]
        for actor in actors:
            actor.communicate()
        found = fetch_until(subscribed(bus, "readers"), 600)
        assert len(found) == 600
        for number in range(3):
            mine = [body for body in found if body.startswith(f"subject-{number}:")]
            assert mine == [f"subject-{number}:{index}" for index in range(200)]

    def test_a_publisher_killed_anywhere_loses_nothing_it_was_told_is_accepted(self, url, bus):
        bus.register("readers", [MADE], from_beginning=True)
        accepted: list[str] = []
        for _ in range(3):
            actor = run("publish", url, MADE, "victim", "100000")
            accepted += [actor.stdout.readline().strip() for _ in range(20)]
            actor.kill()
            actor.communicate()
        found = fetch_until(subscribed(bus, "readers"), len(accepted))
        assert set(accepted) <= set(found)

    def test_a_waiting_reader_of_another_process_is_woken_by_a_publication(self, url, bus):
        bus.register("readers", [MADE], from_beginning=True)
        actor = run("await", url, "readers")
        assert actor.stdout.readline().strip() == "waiting"
        started = clock.monotonic()
        bus.publish([message("a", 1)])
        assert actor.stdout.readline().strip() == "a:1"
        assert clock.monotonic() - started < 5  # it waits for 30 s unless it is woken
        actor.communicate()

    def test_a_publication_before_the_wait_is_not_slept_through(self, bus):
        bus.register("readers", [MADE], from_beginning=True)
        waiter = bus.waiter("readers")
        subscription = subscribed(bus, "readers")
        bus.publish([message("a", 1)])
        started = clock.monotonic()
        waiter.wait(30 * SECOND)
        assert clock.monotonic() - started < 5
        assert taken(subscription, 1) == ["a:1"]
        waiter.close()

    def test_a_waiter_can_be_woken_by_another_thread_of_its_process(self, bus):
        bus.register("readers", [MADE], from_beginning=True)
        waiter = bus.waiter("readers")
        waking = threading.Timer(0.05, waiter.wake)
        started = clock.monotonic()
        waking.start()
        waiter.wait(30 * SECOND)
        assert clock.monotonic() - started < 5
        waking.join()
        waiter.close()

    def test_a_publication_does_not_wake_groups_of_other_types(self, bus):
        bus.register("sellers", [SOLD], from_beginning=True)
        waiter = bus.waiter("sellers")
        subscription = subscribed(bus, "sellers")
        bus.publish([message("a", 1, type_=SOLD)])
        taken(subscription, 1)  # from here on it reads
        settle(waiter)
        bus.publish([message("a", 2)])
        assert waits(waiter)
        waiter.close()


class SingleReader(WithBus):
    """For a bus whose groups have one reader at a time (`shares_groups` is false)."""

    def test_only_one_reads_for_a_group_and_the_next_takes_over(self, url, bus):
        bus.register("readers", [MADE], from_beginning=True)
        other = open_bus(url)
        first = subscribed(bus, "readers")
        assert other.subscribe("readers") is None
        first.close()
        second = subscribed(other, "readers")
        second.close()
        other.close()

    def test_a_reader_that_was_killed_is_replaced_and_its_work_delivered_again(self, url, bus):
        bus.register("readers", [MADE], from_beginning=True)
        bus.publish([message("a", 1), message("a", 2)])
        actor = run("hold", url, "readers", "2")
        assert actor.stdout.readline().strip() == "holding 2"
        assert bus.subscribe("readers") is None
        actor.kill()
        actor.communicate()
        deadline = clock.monotonic() + 5
        subscription = None
        while subscription is None and clock.monotonic() < deadline:
            subscription = bus.subscribe("readers")
        assert taken(subscription, 2) == ["a:1", "a:2"]


class History(WithBus):
    """For a bus that keeps what was published (`keeps_history`)."""

    def test_a_late_group_gets_what_was_published_before_it(self, bus):
        bus.publish([message("a", 1)])
        bus.register("replica", [MADE], from_beginning=True)
        bus.publish([message("a", 2)])
        assert taken(subscribed(bus, "replica"), 2) == ["a:1", "a:2"]


class Trimming(WithBus):
    """For a bus whose log we trim ourselves (`trims`); elsewhere the server's own retention does it."""

    def test_trimming_spares_what_a_group_has_not_acknowledged(self, bus):
        bus.register("fast", [MADE], from_beginning=True)
        bus.register("slow", [MADE], from_beginning=True)
        bus.publish([message("a", number) for number in range(10)])
        for group, done in (("fast", 10), ("slow", 4)):
            subscription = subscribed(bus, group)
            subscription.ack(take(subscription, done)[-1].position)
            subscription.close()
        assert bus.trim(timedelta(hours=1)) == 0
        assert bus.trim(timedelta(0)) == 4
        assert taken(subscribed(bus, "slow"), 6) == [f"a:{number}" for number in range(4, 10)]

    def test_a_group_without_types_is_forgotten_and_stops_holding_the_log(self, bus):
        bus.register("retired", [MADE], from_beginning=True)
        bus.publish([message("a", 1)])
        assert bus.trim(timedelta(0)) == 0
        bus.register("retired", [], from_beginning=True)
        assert bus.groups() == []
        assert bus.trim(timedelta(0)) == 1


class Restarts(WithBus):
    """For a bus behind a server; the fixture `server` can be killed and started again where it was."""

    def test_what_was_accepted_survives_the_death_of_the_server(self, bus, server):
        bus.register("readers", [MADE], from_beginning=True)
        accepted = bus.publish([message("a", number) for number in range(50)]).accepted
        server.kill()
        server.start()
        found = fetch_until(again(lambda: bus.subscribe("readers")), len(accepted))
        assert sorted(set(found)) == sorted(f"a:{number}" for number in range(50))

    def test_a_server_that_is_down_is_reported_within_seconds_and_used_again_when_it_is_back(self, bus, server):
        bus.register("readers", [MADE], from_beginning=True)
        bus.publish([message("a", 1)])
        server.kill()
        started = clock.monotonic()
        with pytest.raises(BusUnavailable):
            bus.publish([message("a", 2)])
        assert clock.monotonic() - started < 15
        server.start()
        assert again(lambda: bus.publish([message("a", 3)]).accepted)

    def test_a_reader_whose_server_died_says_so_and_its_successor_gets_what_was_not_acknowledged(self, bus, server):
        bus.register("readers", [MADE], from_beginning=True)
        bus.publish([message("a", 1), message("a", 2)])
        first = subscribed(bus, "readers")
        assert len(fetch_until(first, 2)) == 2
        server.kill()
        with pytest.raises(BusUnavailable):
            fetch_until(first, 1, seconds=15)
        with suppress(BusUnavailable):
            first.close()
        server.start()
        second = again(lambda: bus.subscribe("readers"))
        assert fetch_until(second, 2)[:2] == ["a:1", "a:2"]

    def test_publishing_goes_on_through_repeated_deaths_and_loses_nothing_accepted(self, bus, server):
        bus.register("readers", [MADE], from_beginning=True)
        accepted: set[str] = set()
        for turn in range(3):
            for number in range(20):
                sent = message(f"s{turn}", number)
                accepted |= {sent.body for _ in again(lambda sent=sent: bus.publish([sent]).accepted)}
            server.kill()
            server.start()
        found = fetch_until(again(lambda: bus.subscribe("readers")), 60)
        assert accepted <= set(found)
        assert len(accepted) == 60


class BusSuite(Deliveries, Groups, Processes):
    """The contract of `backends/base.py`, one behaviour per test. Add the classes of what the backend promises more."""
