"""What every bus must do. A backend's test module subclasses `BusSuite` and provides the fixture `url`."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest

from bandstand import clock
from bandstand.events.backends import Bus, BusUnavailable, Message, Subscription, open_bus

SECOND = timedelta(seconds=1)
MADE, SOLD = "shop.thing_made.v1", "shop.thing_sold.v1"


def message(subject: str, number: int, *, type_: str = MADE, body: str = "") -> Message:
    return Message(event_id=str(uuid4()), type=type_, subject=subject, body=body or f"{subject}:{number}")


def bodies(subscription: Subscription, limit: int = 100) -> list[str]:
    return [delivery.message.body for delivery in subscription.fetch(limit)]


def subscribed(bus: Bus, group: str) -> Subscription:
    subscription = bus.subscribe(group)
    assert subscription is not None, f"somebody else reads for {group}"
    return subscription


def fetch_until(subscription: Subscription, count: int, *, seconds: float = 10) -> list[str]:
    found: list[str] = []
    deadline = clock.monotonic() + seconds
    while len(found) < count and clock.monotonic() < deadline:
        found += bodies(subscription)
    return found


def run(*arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.backends.actor", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True, env=dict(os.environ))


class _WithBus:
    @pytest.fixture
    def bus(self, url: str) -> Iterator[Bus]:
        bus = open_bus(url)
        yield bus
        bus.close()


class Deliveries(_WithBus):
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
        (delivery,) = subscribed(bus, "readers").fetch(10)
        assert delivery.message == sent

    def test_every_group_gets_every_event_of_its_types_and_no_other(self, bus):
        bus.register("makers", [MADE], from_beginning=True)
        bus.register("sellers", [SOLD], from_beginning=True)
        bus.register("both", [MADE, SOLD], from_beginning=True)
        bus.publish([message("a", 1), message("a", 2, type_=SOLD), message("b", 3, type_="shop.other.v1")])
        assert bodies(subscribed(bus, "makers")) == ["a:1"]
        assert bodies(subscribed(bus, "sellers")) == ["a:2"]
        assert bodies(subscribed(bus, "both")) == ["a:1", "a:2"]

    def test_subscribing_returns_at_once_and_leaves_room_for_the_next(self, bus):
        for group in ("first", "second", "third"):
            bus.register(group, [MADE], from_beginning=True)
        open_ones = [subscribed(bus, group) for group in ("first", "second", "third")]
        bus.publish([message("a", 1)])
        assert [bodies(each) for each in open_ones] == [["a:1"]] * 3

    def test_what_was_not_acknowledged_is_delivered_again(self, bus):
        bus.register("readers", [MADE], from_beginning=True)
        bus.publish([message("a", number) for number in range(4)])
        first = subscribed(bus, "readers")
        deliveries = first.fetch(10)
        first.ack(deliveries[1].position)
        first.close()
        assert bodies(subscribed(bus, "readers")) == ["a:2", "a:3"]

    def test_one_subscription_hands_out_each_delivery_once(self, bus):
        bus.register("readers", [MADE], from_beginning=True)
        bus.publish([message("a", number) for number in range(4)])
        subscription = subscribed(bus, "readers")
        assert bodies(subscription, 3) == ["a:0", "a:1", "a:2"]
        assert bodies(subscription, 3) == ["a:3"]
        assert bodies(subscription, 3) == []

    def test_a_group_resumes_after_a_restart_where_it_acknowledged(self, url, bus):
        bus.register("readers", [MADE], from_beginning=True)
        bus.publish([message("a", 0)])
        subscription = subscribed(bus, "readers")
        subscription.ack(subscription.fetch(1)[0].position)
        subscription.close()
        bus.publish([message("a", 1)])
        bus.close()
        again = open_bus(url)
        again.register("readers", [MADE], from_beginning=True)
        assert bodies(subscribed(again, "readers")) == ["a:1"]
        again.close()

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
        actor = run("hold", url, "readers")
        assert actor.stdout.readline().strip() == "holding 2"
        assert bus.subscribe("readers") is None
        actor.kill()
        actor.communicate()
        deadline = clock.monotonic() + 5
        subscription = None
        while subscription is None and clock.monotonic() < deadline:
            subscription = bus.subscribe("readers")
        assert bodies(subscription) == ["a:1", "a:2"]


class Groups(_WithBus):
    """Registration, cursors, lag, trimming."""

    def test_a_late_group_gets_what_was_published_before_it(self, bus):
        bus.publish([message("a", 1)])
        bus.register("replica", [MADE], from_beginning=True)
        bus.publish([message("a", 2)])
        assert bodies(subscribed(bus, "replica")) == ["a:1", "a:2"]

    def test_a_late_group_may_begin_at_the_end(self, bus):
        bus.publish([message("a", 1)])
        bus.register("fresh", [MADE], from_beginning=False)
        bus.publish([message("a", 2)])
        assert bodies(subscribed(bus, "fresh")) == ["a:2"]

    def test_registering_again_keeps_the_place_and_changes_the_types(self, bus):
        bus.register("readers", [MADE], from_beginning=True)
        bus.publish([message("a", 1)])
        subscription = subscribed(bus, "readers")
        subscription.ack(subscription.fetch(1)[0].position)
        subscription.close()
        bus.register("readers", [MADE, SOLD], from_beginning=True)
        bus.publish([message("a", 2, type_=SOLD)])
        assert bodies(subscribed(bus, "readers")) == ["a:2"]

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
        assert bodies(subscribed(bus, "readers")) == ["a:1", "b:4"]

    def test_a_slow_group_is_bounded_in_memory_and_loses_nothing(self, bus):
        bus.register("slow", [MADE], from_beginning=True)
        subscription = subscribed(bus, "slow")
        for start in range(0, 2000, 500):
            bus.publish([message("a", number) for number in range(start, start + 500)])
            assert len(subscription.fetch(10)) == 10
        (report,) = bus.groups()
        assert report.lag == 2000
        assert fetch_until(subscription, 1960) == [f"a:{number}" for number in range(40, 2000)]

    def test_lag_counts_what_is_not_acknowledged(self, bus):
        bus.register("readers", [MADE], from_beginning=True)
        bus.publish([message("a", 1), message("a", 2), message("a", 3, type_=SOLD)])
        subscription = subscribed(bus, "readers")
        subscription.ack(subscription.fetch(1)[0].position)
        subscription.flush()
        assert [(each.name, each.types, each.lag) for each in bus.groups()] == [("readers", (MADE,), 1)]

    def test_a_drained_group_has_no_lag_even_where_foreign_types_follow(self, bus):
        bus.register("readers", [MADE], from_beginning=True)
        bus.publish([message("a", 1), message("a", 2, type_=SOLD)])
        subscription = subscribed(bus, "readers")
        subscription.ack(subscription.fetch(10)[-1].position)
        assert bodies(subscription) == []
        subscription.close()
        assert [each.lag for each in bus.groups()] == [0]

    def test_trimming_spares_what_a_group_has_not_acknowledged(self, bus):
        bus.register("fast", [MADE], from_beginning=True)
        bus.register("slow", [MADE], from_beginning=True)
        bus.publish([message("a", number) for number in range(10)])
        for group, done in (("fast", 10), ("slow", 4)):
            subscription = subscribed(bus, group)
            subscription.ack(subscription.fetch(done)[-1].position)
            subscription.close()
        assert bus.trim(timedelta(hours=1)) == 0
        assert bus.trim(timedelta(0)) == 4
        assert bodies(subscribed(bus, "slow")) == [f"a:{number}" for number in range(4, 10)]

    def test_a_group_without_types_is_forgotten_and_stops_holding_the_log(self, bus):
        bus.register("retired", [MADE], from_beginning=True)
        bus.publish([message("a", 1)])
        assert bus.trim(timedelta(0)) == 0
        bus.register("retired", [], from_beginning=True)
        assert bus.groups() == []
        assert bus.trim(timedelta(0)) == 1

    def test_an_unregistered_group_cannot_subscribe(self, bus):
        with pytest.raises(BusUnavailable, match="not registered"):
            bus.subscribe("nobody")


class Processes(_WithBus):
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

    def test_a_wake_up_before_the_wait_is_not_lost(self, bus):
        waiter = bus.waiter("shop.relay")
        bus.notify("shop.relay")
        started = clock.monotonic()
        waiter.wait(30 * SECOND)
        assert clock.monotonic() - started < 5
        waiter.close()

    def test_a_waiter_can_be_woken_by_another_thread_of_its_process(self, bus):
        waiter = bus.waiter("shop.relay")
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
        bus.publish([message("a", 1)])
        started = clock.monotonic()
        waiter.wait(timedelta(milliseconds=50))
        assert clock.monotonic() - started >= 0.045
        waiter.close()

    def test_notifying_nobody_is_harmless(self, bus):
        bus.notify("nobody.relay")


class BusSuite(Deliveries, Groups, Processes):
    """The contract of `backends/base.py`, one behaviour per test."""
