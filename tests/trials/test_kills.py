"""SIGKILL at any moment, in any role, on every bus: nothing lost, nothing invented, nothing applied twice, in order."""

from dataclasses import replace

import pytest

from tests.servers import skip_where_absent
from tests.trials.campaign import Campaign, Plan, staged
from tests.trials.servers import needed

SHORT = Plan(events=1_500, seconds=12, pauses=(0.4, 1.0), longest=20, dwell=0.002, settings={"relay_lease": 1})
PARTITIONED = {**SHORT.settings, "relay_partitions": 2}
PLANS = {
    "embedded": SHORT,
    "redis": replace(SHORT, bus="redis", settings=PARTITIONED),
    "rabbitmq": replace(SHORT, bus="rabbitmq", database="postgresql", restarts=1, settings=PARTITIONED),
}


@pytest.mark.parametrize("plan", [pytest.param(plan, id=name) for name, plan in PLANS.items()])
def test_kills_at_random_break_no_promise(plan, tmp_path):
    for engine in needed(plan.bus, plan.database):
        skip_where_absent(engine)
    with staged(plan, tmp_path) as stage:
        campaign = Campaign(stage, plan)
        verdict = campaign.run()
    assert verdict.faults == {}
    assert verdict.committed == plan.events
    assert verdict.dead_letters > 0
    assert campaign.kills.total() > 10
