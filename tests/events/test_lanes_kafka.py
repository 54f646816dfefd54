"""Lanes on a bus that resumes from the database: the bookmark never passes what is not committed."""

import threading
from uuid import uuid4

import pytest
from tests.backends.kafka_servers import TIMES, MockCluster
from tests.events.postgres import ALIAS
from tests.events.staging import staged
from tests.events.test_lanes import LEFT, PATIENCE, RIGHT, Made, announce, applied, effects, leave_effect

from bandstand.events import consumer, registry, wakeups
from bandstand.events.models import Bookmark

pytest.importorskip("bandstand.events.backends.kafka.resuming", reason="the extra kafka is not installed")


@pytest.fixture
def kafka_stage(tmp_path, postgres_url, _own_registry):
    registry._consumers.clear()
    cluster = MockCluster()
    url = f"kafka://{cluster.address}/?prefix=t{uuid4().hex}&partitions=4&{TIMES}"
    with staged(tmp_path, DATABASE=ALIAS, BUS_URL=url, CONSUMER_CONCURRENCY=2) as found:
        yield found
        if found._loop is not None:
            found._loop._leave()
        wakeups.close()
    cluster.close()


def place():
    return sum(Bookmark.objects.using(ALIAS).values_list("position", flat=True))


def test_the_bookmark_waits_for_the_slowest_lane(kafka_stage):
    begun, release = threading.Event(), threading.Event()

    @consumer(Made)
    def hold_the_left(event, envelope):
        leave_effect(event)
        if event.thing == LEFT:
            begun.set()
            assert release.wait(PATIENCE)

    announce((LEFT, 1))
    kafka_stage.relay()
    kafka_stage.eventually(lambda: kafka_stage.consume() or begun.is_set(), seconds=PATIENCE)
    announce((RIGHT, 1), (RIGHT, 2))
    kafka_stage.relay()
    kafka_stage.eventually(lambda: kafka_stage.consume() or applied() == 2, seconds=PATIENCE)
    kafka_stage.consume(3)
    assert place() == 0, "what was applied came after something that is not"
    release.set()
    kafka_stage.eventually(lambda: kafka_stage.consume() or place() == 3, seconds=PATIENCE)
    assert effects() == {f"{LEFT}/1": 1, f"{RIGHT}/1": 1, f"{RIGHT}/2": 1}
