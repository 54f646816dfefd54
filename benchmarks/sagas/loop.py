"""Clients in a closed loop: each starts a saga, waits until it has ended and starts the next."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks.report import Figures, percentiles

_WARMING_SECONDS = 1.0


@dataclass
class _Client:
    """What one client has seen; `ended` are the moments at which its sagas ended."""

    began: list[float] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)
    error: BaseException | None = None


def closed_loop(one: Callable[[], object], *, clients: int, seconds: float) -> Figures:
    """How many sagas a second so many threads get done with *one*, and how long a saga takes.

    What ends in the first second is only in `sagas`, which are all that were run, and in `cpu_ms_per_saga`, which is
    the CPU of this process alone. Raises what a client met.
    """
    found, cpu = [_Client() for _ in range(clients)], time.process_time()
    first = time.perf_counter() + _WARMING_SECONDS
    last = first + seconds
    threads = [threading.Thread(target=_run, args=(one, client, last)) for client in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for client in found:
        if client.error is not None:
            raise client.error
    pairs = [pair for client in found for pair in zip(client.began, client.ended, strict=True)]
    count = sum(first <= ended <= last for _, ended in pairs)
    took = [ended - began for began, ended in sorted(pairs) if ended >= first]
    return {
        "sagas_per_second": round(count / seconds, 1),
        **percentiles(took),
        "cpu_ms_per_saga": round((time.process_time() - cpu) * 1e3 / len(pairs), 2),
        "sagas": len(pairs),
    }


def _run(one: Callable[[], object], client: _Client, last: float) -> None:
    try:
        while (began := time.perf_counter()) < last:
            one()
            client.began.append(began)
            client.ended.append(time.perf_counter())
    except BaseException as error:  # noqa: BLE001 - raised again where the threads are joined
        client.error = error
