"""Celery as its documentation advises where no task may be lost; the application of worker and clients.

It finds its servers in the environment. A chain has neither state nor compensation: what is lost is lost, and what
fails stays half done.
"""

import os
from typing import Any

import redis
from celery import Celery
from kombu import Queue

from benchmarks.messaging.servers import QUORUM
from benchmarks.sagas import shop

QUEUE = "bench-sagas"
CLIENTS = 64

replies = redis.Redis.from_url(os.environ["BENCH_REPLIES"], max_connections=2 * CLIENTS, socket_timeout=None)
app = Celery(__name__, broker=os.environ["BENCH_BROKER"])
app.conf.update(
    broker_connection_retry_on_startup=True,
    broker_pool_limit=CLIENTS,
    broker_transport_options={"confirm_publish": True},
    task_acks_late=True,
    task_default_queue=QUEUE,
    task_ignore_result=True,
    task_queues=[Queue(QUEUE, queue_arguments=QUORUM)],
    task_reject_on_worker_lost=True,
    worker_detect_quorum_queues=True,
)


@app.task
def step(context: dict[str, Any], name: str) -> dict[str, Any]:
    """A step, called with what the one before it returned."""
    return shop.act(name, context)


@app.task
def last(context: dict[str, Any], name: str, reply_to: str) -> None:
    """The last step, which tells the client; Celery's own results would cost more."""
    shop.act(name, context)
    replies.lpush(reply_to, 1)
