"""Celery as its documentation advises where no task may be lost: late acknowledgement, confirms, a quorum queue.

The application of the worker that `consumers.celery` starts; it finds its servers in the environment.
"""

import os
from typing import Any

from celery import Celery
from kombu import Queue

from benchmarks.messaging import servers, shop
from benchmarks.messaging.byhand import apply

shop.configure(database=os.environ["BENCH_DATABASE"])
app = Celery(__name__, broker=os.environ["BENCH_BROKER"])
app.conf.update(
    broker_connection_retry_on_startup=True,
    broker_transport_options={"confirm_publish": True},
    task_acks_late=True,
    task_default_queue=f"{servers.QUEUE}-celery",
    task_ignore_result=True,
    task_queues=[Queue(f"{servers.QUEUE}-celery", queue_arguments=servers.QUORUM)],
    task_reject_on_worker_lost=True,
    worker_detect_quorum_queues=True,
)


@app.task
def note(event: dict[str, Any]) -> None:
    """Apply an event."""
    apply(event)
