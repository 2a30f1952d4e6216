"""Which addresses a connection may lead to: the URL of an endpoint or an image must be no way into our own network."""

from __future__ import annotations

import ipaddress
from typing import Literal, TypeAlias

Reach: TypeAlias = Literal["anywhere", "networks", "public"]
# anywhere   as on a laptop, where the backends are
# networks   private networks too, but no host's own addresses: loopback, link-local and so the cloud's metadata
# public     what the internet routes

_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_PRIVATE = tuple(
    map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"))
)
# the metadata services of AWS (also by IPv6), of Alibaba and of Oracle, in networks that are private otherwise
_METADATA = tuple(map(ipaddress.ip_network, ("fd00:ec2::/32", "100.100.100.200/32", "192.0.0.192/32")))
_NAT64 = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "64:ff9b:1::/48")))
_COMPATIBLE = ipaddress.ip_network("::/96")  # IPv4-compatible, long deprecated; ::1 and :: are in it


def may_reach(address: str, reach: Reach) -> bool:
    """`address` is an IP address in its usual spelling, as resolvers give it; one that cannot be read is refused."""
    if reach == "anywhere":
        return True
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return all(_allowed(each, reach) for each in _meanings(found))


def _meanings(address: _Address) -> list[_Address]:
    """The address and every IPv4 address that it stands for: mapped, NAT64, Teredo, compatible."""
    found: list[_Address] = [address]
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return [address.ipv4_mapped]
        if any(address in network for network in _NAT64) or address in _COMPATIBLE:
            found.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if address.teredo is not None:
            found += address.teredo
    return found


def _allowed(address: _Address, reach: Reach) -> bool:
    if any(address in network for network in _METADATA if network.version == address.version):
        return False
    if reach == "networks" and any(address in network for network in _PRIVATE if network.version == address.version):
        return True
    if isinstance(address, ipaddress.IPv6Address):
        if any(address in network for network in _NAT64):
            return True  # by what it stands for
        if address.is_site_local or address.sixtofour is not None:  # 6to4 is no more, and Pythons differ about it
            return False
    return address.is_global and not address.is_multicast
