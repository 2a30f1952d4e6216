"""Whose address the ledger gets: the peer's, or what trusted proxies say, and never what a client made up."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest

from shared.settings import SettingsError, read_settings
from shared.web.client_address import client_address
from shared.web.extensions import TRUSTED

PROXIES = tuple(map(ipaddress.ip_network, ("10.0.0.0/8", "2001:db8:1::/48")))


def a_scope(peer: str | None, *forwarded: str, trusted: Any = PROXIES) -> dict[str, Any]:
    headers = [(b"x-forwarded-for", value.encode("latin-1")) for value in forwarded]
    return {"client": (peer, 4711) if peer else None, "headers": headers, TRUSTED: trusted}


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.9", [], "203.0.113.9"),
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),  # nobody vouches for it
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["192.0.2.66, 198.51.100.1"], "198.51.100.1"),  # the client wrote the first
        ("10.0.0.1", ["192.0.2.66", "198.51.100.1, 10.9.9.9"], "198.51.100.1"),  # two proxies, two headers
        ("10.0.0.1", ["10.1.1.1, 10.2.2.2"], "10.1.1.1"),  # everybody is a proxy: the first that is known
        ("10.0.0.1", ["198.51.100.1:50123"], "198.51.100.1"),
        ("10.0.0.1", ["[2001:db8::7]:443"], "2001:db8::7"),
        ("10.0.0.1", ["2001:db8::7"], "2001:db8::7"),
        ("2001:db8:1::1", ["2001:DB8::7"], "2001:db8::7"),
        ("::ffff:10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["192.0.2.66, <script>"], "10.0.0.1"),
        ("10.0.0.1", ["192.0.2.66, unknown, 10.3.3.3"], "10.3.3.3"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", ["192.0.2.66," * 5_000 + "198.51.100.1"], "198.51.100.1"),
        (None, ["198.51.100.1"], ""),
        ("unix", ["198.51.100.1"], "unix"),
    ],
)
def test_the_last_hop_that_no_trusted_proxy_stands_for(peer: str | None, forwarded: list[str], address: str) -> None:
    assert client_address(a_scope(peer, *forwarded)) == address


def test_without_trusted_proxies_the_peer_is_the_client() -> None:
    assert client_address(a_scope("10.0.0.1", "198.51.100.1", trusted=())) == "10.0.0.1"


def test_networks_are_read_from_the_environment() -> None:
    chosen = read_settings({"TRUSTED_PROXIES": "10.0.0.0/8, 2001:db8:1::/48,127.0.0.1"})
    assert [str(each) for each in chosen.trusted_proxies] == ["10.0.0.0/8", "2001:db8:1::/48", "127.0.0.1/32"]
    with pytest.raises(SettingsError, match="TRUSTED_PROXIES must be addresses or networks"):
        read_settings({"TRUSTED_PROXIES": "my-proxy"})
