"""After an outage of the broker the backlog goes at once, and nothing of it is lost."""

from tests.servers import skip_where_absent
from tests.trials.campaign import Plan, staged
from tests.trials.outage import outage


def test_a_backlog_is_drained_many_times_faster_than_events_arrive(tmp_path):
    skip_where_absent("valkey")
    plan = Plan(bus="redis", events=900, dwell=0)
    with staged(plan, tmp_path) as stage:
        found = outage(stage, plan)
    assert found.verdict.faults == {}
    assert found.verdict.committed >= 900
    assert found.ratio >= 5
