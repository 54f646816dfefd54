"""A campaign: every role is killed at random at its work, the broker is restarted, and then everything is counted."""

import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bandstand import clock
from bandstand.events.backends import BusUnavailable, GroupReport, open_bus
from tests.trials.judging import Verdict, judge, value
from tests.trials.scene import MIRROR, SHOP, Scene, last_number
from tests.trials.servers import Servers, opened
from tests.trials.zygote import Actor, Zygote

__all__ = ["Campaign", "Plan", "Stage", "staged"]

_ROLES = {"relay": (SHOP, "relay"), "consumers": (MIRROR, "consumers")}
_TO_SETTLE_SECONDS = 600.0
_REPORT_SECONDS = 10.0
_DONE_SHARE = 0.97
_PATIENCE_SECONDS = 30.0
"""How long nothing may be applied under fire before the campaign goes on to the count."""

_LOOK_SECONDS = 0.1


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How hard it gets. The same seed kills the same roles after the same pauses."""

    bus: str = "embedded"
    database: str = "sqlite"
    events: int = 2_000
    seconds: float = 0
    """Over how long the publishing is spread; 0 publishes as fast as it goes."""
    seed: int = 1
    pauses: tuple[float, float] = (0.5, 2.0)
    """How long to wait between two kills, in seconds."""
    longest: float = 86_400
    """After how many seconds the killing ends at the latest, once everything is published."""
    restarts: int = 2
    """How often the broker is restarted; where the bus is a file, all processes die at once instead."""
    processes: int = 2
    """How many relays and how many consumers there are."""
    dwell: float = 0.002
    """How long a consumer takes for each fact, in seconds: the longer, the likelier that a kill finds it at work."""
    double: str = ""
    settings: dict[str, Any] = field(default_factory=dict)


class Stage:
    """The processes of a trial and the databases that they write."""

    def __init__(self, scene: Scene, servers: Servers, zygotes: dict[str, Zygote]) -> None:
        self.scene = scene
        self.servers = servers
        self._zygotes = zygotes
        for zygote in zygotes.values():
            self.wait_for(zygote.start("prepare"))

    def start(self, service: str, role: str, **options: Any) -> Actor:
        """A process of *service* at work."""
        return self._zygotes[service].start(role, **options)

    def loop(self, name: str) -> Actor:
        """A process that runs the loop *name*."""
        service, loop = _ROLES[name]
        return self.start(service, "loop", name=loop)

    def wait_for(self, actor: Actor, *, seconds: float = _TO_SETTLE_SECONDS) -> None:
        """Wait until it has ended well."""
        self.until(lambda: actor.status() is not None, seconds=seconds)
        assert actor.status() == 0, f"a process ended with {actor.status()}: see the logs in {self.scene.folder}"

    def until(self, condition: Callable[[], object], *, seconds: float = _TO_SETTLE_SECONDS) -> bool:
        """Wait for a condition; False when it did not come true in time."""
        deadline = clock.monotonic() + seconds
        while not condition():
            if clock.monotonic() > deadline:
                return False
            clock.sleep(_LOOK_SECONDS)
        return True

    @property
    def noted(self) -> int:
        """The highest number that is committed."""
        return value(self.scene.databases[SHOP], "SELECT max(number) FROM fact")

    @property
    def reached(self) -> int:
        """The highest number that is applied."""
        return value(self.scene.databases[MIRROR], "SELECT max(number) FROM effect")

    def is_listening(self) -> bool:
        """Whether the consumers' group exists: not every bus keeps what was published before."""
        return bool(self._reports())

    def is_settled(self) -> bool:
        """Whether nothing is pending anywhere; asked in the order that events travel, so that none slips past."""
        if value(self.scene.databases[SHOP], "SELECT count(*) FROM bandstand_events_outbox"):
            return False
        reports = self._reports()
        if not reports or any(report.lag for report in reports):
            return False
        return not value(self.scene.databases[MIRROR], "SELECT count(*) FROM bandstand_events_waiting")

    def _reports(self) -> list[GroupReport]:
        bus = open_bus(self.scene.bus_url)
        try:
            return bus.groups()
        except BusUnavailable:
            return []
        finally:
            bus.close()


@contextmanager
def staged(plan: Plan, folder: Path) -> Iterator[Stage]:
    """Servers, tables and zygotes in *folder*. Raises bandstand.engines.Absent where a server is not installed."""
    with ExitStack() as stack:
        servers = stack.enter_context(opened(plan.bus, plan.database, folder))
        scene = Scene(
            folder=str(folder),
            bus_url=servers.bus_url,
            databases=servers.databases,
            settings={"attempts": 3, "retry_base": 0.05, "retry_cap": 0.2, **plan.settings},
            dwell=plan.dwell,
            double=plan.double,
        )
        zygotes = {service: Zygote(service, scene) for service in (SHOP, MIRROR)}
        for zygote in zygotes.values():
            stack.callback(zygote.close)
        yield Stage(scene, servers, zygotes)


class Campaign:
    """Kills while facts are noted and until nearly all are applied, then lets everything settle, and judges."""

    def __init__(self, stage: Stage, plan: Plan) -> None:
        self._stage = stage
        self._plan = plan
        self._dice = random.Random(plan.seed)
        self._until = last_number(plan.events)
        self._cast: dict[str, Actor] = {}
        self.kills: Counter[str] = Counter()
        self.restarts = 0
        self._started = clock.monotonic()
        self._reached = (0, self._started)
        self._report_due = self._started
        self.seconds: dict[str, float] = {}

    def run(self) -> Verdict:
        """Play it. A process that dies without having been killed ends it with an error."""
        for role in self._loops():
            self._enter(role)
        self._stage.until(self._stage.is_listening)
        self._enter("publisher")
        while not self._is_nearly_done():
            self._watch(self._dice.uniform(*self._plan.pauses))
            self._kill(self._dice.choice(sorted(self._cast)))
            if self.restarts < self._plan.restarts and self._stage.noted >= self._next_restart():
                self._restart()
        killed = clock.monotonic()
        self._stage.until(self._stage.is_settled)
        settled = clock.monotonic()
        self.seconds = {"under_fire": round(killed - self._started, 1), "to_settle": round(settled - killed, 1)}
        for role, actor in self._cast.items():
            status = actor.stop()
            assert status == 0, f"{role} ended with {status}: see the logs in {self._stage.scene.folder}"
        return judge(self._stage.scene)

    def _loops(self) -> list[str]:
        return [f"{name}-{number}" for name in _ROLES for number in range(self._plan.processes)]

    def _enter(self, role: str) -> None:
        if role == "publisher":
            rate = self._until / self._plan.seconds if self._plan.seconds else 0
            self._cast[role] = self._stage.start(SHOP, "publish", until=self._until, per_second=rate)
        else:
            self._cast[role] = self._stage.loop(role.partition("-")[0])

    def _watch(self, seconds: float) -> None:
        """Let them work for a while, and see that they do."""
        deadline = clock.monotonic() + seconds
        while clock.monotonic() < deadline:
            clock.sleep(min(_LOOK_SECONDS, max(0.0, deadline - clock.monotonic())))
            for role, actor in list(self._cast.items()):
                if actor.status() is not None:
                    assert (role, actor.status()) == ("publisher", 0), f"{role} ended with {actor.status()}"
                    del self._cast[role]
        self._report()

    def _is_nearly_done(self) -> bool:
        reached, now = self._stage.reached, clock.monotonic()
        if reached > self._reached[0]:
            self._reached = (reached, now)
        if "publisher" in self._cast or self.restarts < self._plan.restarts:
            return False
        if now - self._started > self._plan.longest or now - self._reached[1] > _PATIENCE_SECONDS:
            return True
        return reached >= _DONE_SHARE * self._until

    def _kill(self, role: str) -> None:
        self._cast[role].kill()
        self.kills[role] += 1
        self._enter(role)

    def _next_restart(self) -> float:
        return self._until * (self.restarts + 1) / (self._plan.restarts + 1)

    def _restart(self) -> None:
        """Restart the broker, now hard and now soft; without one, let everybody die at the same moment."""
        self.restarts += 1
        if self._stage.servers.broker is None:
            for actor in self._cast.values():
                actor.kill()
            self.kills["everybody"] += 1
            for role in self._cast:
                self._enter(role)
        else:
            self._stage.servers.take_down(hard=self._dice.random() < 0.5)
            self._watch(self._dice.uniform(0, 1))
            self._stage.servers.bring_up()

    def _report(self) -> None:
        """Say how far it is: on one line of a terminal, else now and then."""
        is_terminal, now = sys.stderr.isatty(), clock.monotonic()
        if is_terminal or now >= self._report_due:
            self._report_due = now + _REPORT_SECONDS
            text = f"{self._reached[0]} of {self._until}, {self.kills.total()} kills, {self.restarts} restarts"
            print(f"\r{text}  " if is_terminal else text, end="" if is_terminal else "\n", file=sys.stderr, flush=True)
