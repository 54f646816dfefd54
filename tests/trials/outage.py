"""An outage: the broker is away while a backlog builds up; how fast is it drained while more keeps coming?"""

from dataclasses import dataclass

from bandstand import clock
from tests.trials.campaign import Plan, Stage
from tests.trials.judging import Verdict, judge
from tests.trials.scene import SHOP, last_number
from tests.trials.zygote import Actor

__all__ = ["Outage", "outage"]

_FOR_EVER = 10**9
_AN_HOUR = 3600.0
"""As long as the events took to come, nothing that follows may take."""


@dataclass(frozen=True, kw_only=True)
class Outage:
    """How it went. An hour at ten events a second is simulated by its volume, for the clock makes no difference."""

    backlog: int
    arrival_per_second: float
    """How fast new events came, before and while the backlog was drained."""
    seconds: float
    """From the broker's answering again until the last event of the backlog was applied."""
    verdict: Verdict

    @property
    def drained_per_second(self) -> float:
        """Events applied in a second, those that arrived meanwhile apart."""
        return round(self.backlog / self.seconds, 1)

    @property
    def ratio(self) -> float:
        """How many times faster than events arrive."""
        return round(self.drained_per_second / self.arrival_per_second, 1)


def outage(stage: Stage, plan: Plan, *, arrival_per_second: float = 10) -> Outage:
    """Let *plan*'s number of events pile up in the outbox, bring the broker back, and measure.

    Where the bus is a file it cannot be away: then there is no relay instead, which leaves the same backlog.
    """
    last = last_number(plan.events)
    actors = [stage.loop("consumers") for _ in range(plan.processes)]
    assert stage.until(stage.is_listening)
    if stage.servers.broker is not None:
        actors += _relays(stage, plan)
        stage.servers.take_down(hard=True)
    stage.wait_for(stage.start(SHOP, "publish", until=last), seconds=_AN_HOUR)
    publisher = stage.start(SHOP, "publish", until=_FOR_EVER, per_second=arrival_per_second * 10 / 9)
    if stage.servers.broker is not None:
        stage.servers.bring_up()
    else:
        actors += _relays(stage, plan)
    started = clock.monotonic()
    assert stage.until(lambda: stage.reached >= last, seconds=_AN_HOUR), "the backlog was not drained in time"
    seconds = clock.monotonic() - started
    publisher.kill()
    assert stage.until(stage.is_settled), "something stays pending"
    assert all(actor.stop() == 0 for actor in actors)
    return Outage(
        backlog=plan.events,
        arrival_per_second=arrival_per_second,
        seconds=round(seconds, 2),
        verdict=judge(stage.scene),
    )


def _relays(stage: Stage, plan: Plan) -> list[Actor]:
    return [stage.loop("relay") for _ in range(plan.processes)]
