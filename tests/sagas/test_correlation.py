"""Whatever a saga says, calls or publishes belongs to the request that started it, also where many share a wave."""

import logging
from collections.abc import Iterator

import pytest

from bandstand import context
from tests.sagas.stage import Stage


class Ear(logging.Handler):
    """Notes each line with the correlation id it would be written with."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: set[tuple[str, str]] = set()

    def emit(self, record: logging.LogRecord) -> None:
        order = getattr(record, "business_key", "")
        self.heard.add((f"{record.getMessage()} {order}".strip(), context.current().correlation_id))


@pytest.fixture
def ear() -> Iterator[Ear]:
    heard = Ear()
    logger = logging.getLogger("bandstand.sagas")
    before = logger.level
    logger.setLevel(logging.INFO)  # by its setter: loggers remember for which levels they are enabled
    logger.addHandler(heard)
    yield heard
    logger.removeHandler(heard)
    logger.setLevel(before)


def start(stage: Stage, order: str) -> None:
    with context.bound(context.Context(correlation_id=f"request-{order}")):
        stage.start(order)


def test_sagas_of_one_wave_keep_their_own_correlation_ids(stage: Stage, ear: Ear) -> None:
    for order in ("one", "two"):
        start(stage, order)
    with context.bound(context.Context(correlation_id="of-the-worker")):
        stage.drive()
    assert ear.heard == {("saga.ended one", "request-one"), ("saga.ended two", "request-two")}


def test_calls_and_complaints_carry_the_correlation_id_of_the_request(stage: Stage, ear: Ear) -> None:
    called: list[str] = []
    calls = stage.shop.call

    def noting(name: str, apply: object) -> None:
        called.append(f"{name} {context.current().correlation_id}")
        calls(name, apply)  # type: ignore[arg-type]

    stage.shop.call = noting  # type: ignore[method-assign]
    stage.shop.order("capture.do", "refuse")
    stage.shop.order("reserve.undo", "error")
    stage.shop.order("ended", "error")
    start(stage, "one")
    for _ in range(20):
        with context.bound(context.Context(correlation_id="of-the-worker")):
            stage.drive()
        stage.clock.advance(1)
    names = ["validate.do", "reserve.do", "capture.do", "reserve.undo", "reserve.undo", "ended", "ended"]
    assert called == [f"{name} request-one" for name in names]
    lines = {"saga.step_failed", "saga.end_failed", "saga.ended one"}
    assert ear.heard == {(line, "request-one") for line in lines}
