"""A consumer's transaction as it is written by hand: the id of the event and its effect, whatever the client."""

import json
from typing import Any


def apply(body: bytes | dict[str, Any]) -> None:
    """Write the effect of an event unless its id is known; Django is set up."""
    from django.db import IntegrityError, transaction

    from benchmarks.messaging.orders.models import Effect, Processed

    event = body if isinstance(body, dict) else json.loads(body)
    try:
        with transaction.atomic():
            Processed.objects.create(event_id=event["id"])
            Effect.objects.create(order_id=int(event["data"]["order_id"]), total=event["data"]["total"])
    except IntegrityError:
        return
