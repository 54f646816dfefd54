"""Who is at the other end: the address behind our own proxies, and not what a client claims."""

from collections.abc import Mapping
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

__all__ = ["client_address"]


def client_address(meta: Mapping[str, Any], *, trusted_proxies: int) -> str:
    """The address that the outermost of our *trusted_proxies* proxies saw.

    Each proxy appends the address it was called from to `X-Forwarded-For`, so only that many entries from the right
    are ours; everything to the left was written by the client. With 0 the header is not read at all.
    """
    peer = str(meta.get("REMOTE_ADDR") or "")
    if not trusted_proxies:
        return peer
    entries = [entry.strip() for entry in str(meta.get("HTTP_X_FORWARDED_FOR") or "").split(",")[-trusted_proxies:]]
    if len(entries) < trusted_proxies:
        return peer  # came past a proxy: the peer is all that is certain
    return _address(entries[0]) or peer


@lru_cache(maxsize=4096)
def _address(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        return ""
