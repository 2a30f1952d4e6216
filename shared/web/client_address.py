"""Where a request comes from: the peer, or what trusted proxies say of it."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

from shared.settings import Networks
from shared.web.asgi import Scope, headers
from shared.web.extensions import TRUSTED

_MOST_HOPS = 20


def client_address(scope: Scope) -> str:
    """The address of the last hop that no trusted proxy stands for; empty where the server knows no peer.

    Each proxy appends the peer that it saw to `x-forwarded-for`, so the list is read from its end, and only as far as
    the hops are trusted: whatever the client wrote before it is never reached. On API Gateway the peer is the event's
    `sourceIp`.
    """
    peer = scope.get("client")
    address = str(peer[0]) if peer else ""
    trusted: Networks = scope.get(TRUSTED, ())
    if not trusted or not is_within(address, trusted):
        return address
    hops = ",".join(headers(scope, b"x-forwarded-for")).split(",")
    for hop in reversed(hops[-_MOST_HOPS:]):
        found = _address(hop.strip())
        if not found:
            break
        address = found
        if not is_within(address, trusted):
            break
    return address


@lru_cache(maxsize=512)
def is_within(address: str, networks: Networks) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return any((mapped or parsed) in network for network in networks)


def _address(text: str) -> str:
    """The address in a hop, which may carry a port or, for IPv6, brackets; empty when it is none."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return ""
