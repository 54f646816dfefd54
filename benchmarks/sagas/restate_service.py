"""The service that Restate calls: five durable steps. Served by hypercorn over HTTP/2, as its authors advise."""

from collections.abc import Callable
from functools import partial
from typing import Any

import restate

from benchmarks.sagas import shop

orders = restate.Service("orders")


@orders.handler()
async def process(context: restate.Context, order: dict[str, Any]) -> dict[str, Any]:
    """Run the steps; what each returns is in Restate's log before the next begins."""
    for name in shop.STEPS:
        step: Callable[[], dict[str, Any]] = partial(shop.act, name, order)
        order = await context.run_typed(name, step)
    return order


app = restate.app(services=[orders])
