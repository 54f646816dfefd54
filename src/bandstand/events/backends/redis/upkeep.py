"""How far the groups are behind, and dropping what all of them are done with."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import redis

from bandstand.events.backends.base import GroupReport
from bandstand.events.backends.redis import scripts
from bandstand.events.backends.redis.connecting import Client, Keys
from bandstand.events.backends.redis.reading import owners_of

__all__ = ["reports", "trimmed"]

_COUNTED_AT_ONCE = 1_000
_TRIMMED_AT_ONCE = 10_000
_LONGEST_NODE = 1_000
"""A stream is a tree of nodes, by default of 100 entries; the server drops whole ones cheaply."""


def reports(client: Client, keys: Keys) -> list[GroupReport]:
    """Every registered group with what it has not acknowledged."""
    registry = sorted((str(name), str(types)) for name, types in client.hgetall(keys.registry).items())
    owners = {owner for _, types in registry for owner in owners_of(types)}
    lags = {owner: _lags(client, keys.stream(owner)) for owner in owners}
    return [
        GroupReport(
            name=name, types=tuple(types.split()), lag=sum(lags[owner].get(name, 0) for owner in owners_of(types))
        )
        for name, types in registry
    ]


def trimmed(client: Client, keys: Keys, older_than: timedelta) -> int:
    """Drop a bounded number of entries of every stream that are so old and done in every group; return how many."""
    seconds, microseconds = client.time()
    youngest = seconds * 1000 + microseconds // 1000 - round(older_than.total_seconds() * 1000)
    streams = [keys.stream(str(owner)) for owner in client.smembers(keys.streams)]
    return sum(_trim(client, stream, before=f"{youngest + 1}-0") for stream in streams)


def _lags(client: Client, stream: str) -> dict[str, int]:
    """Each group of *stream* with how many entries it has not acknowledged."""
    return {each["name"]: _lag(client, stream, each) for each in _groups(client, stream)}


def _lag(client: Client, stream: str, group: dict[str, Any]) -> int:
    lag = group["lag"]
    if lag is None:  # somebody deleted entries: the server no longer knows
        lag = _counted(client, stream, group["last-delivered-id"])
    return int(lag) + int(group["pending"])


def _trim(client: Client, stream: str, *, before: str) -> int:
    """All groups of the stream hold it, also those that others made."""
    lowest = _lowest([before, *(_first_open(client, stream, each) for each in _groups(client, stream))])
    dropped = int(client.xtrim(stream, minid=lowest, approximate=True, limit=_TRIMMED_AT_ONCE))
    if dropped < _TRIMMED_AT_ONCE - _LONGEST_NODE:  # what is left is part of one node
        dropped += int(client.xtrim(stream, minid=lowest, approximate=False))
    return dropped


def _groups(client: Client, stream: str) -> list[dict[str, Any]]:
    try:
        found: list[dict[str, Any]] = client.xinfo_groups(stream)
    except redis.ResponseError:
        if client.exists(stream):
            raise
        return []  # deleted by somebody
    return found


def _counted(client: Client, stream: str, id_: str) -> int:
    total = 0
    while True:
        count, id_ = client.register_script(scripts.COUNT)(keys=[stream], args=[id_, str(_COUNTED_AT_ONCE)])
        total += int(count)
        if count < _COUNTED_AT_ONCE:
            return total


def _first_open(client: Client, stream: str, group: dict[str, Any]) -> str:
    """The lowest id that is not done in a group."""
    if group["pending"]:
        lowest = client.xpending(stream, group["name"])["min"]
        if lowest:
            return str(lowest)
    time, _, number = group["last-delivered-id"].partition("-")
    return f"{time}-{int(number) + 1}"


def _lowest(ids: Iterable[str]) -> str:
    return min(ids, key=lambda id_: tuple(int(part) for part in id_.split("-")))
