"""What the HTTP client refuses to connect to: real sockets, names that a stand-in for the resolver invents."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from infra.context import Context
from shared.errors import UpstreamUnreachable
from shared.providers.address import locate
from shared.providers.reach import Reach, may_reach
from shared.providers.upstream import PooledUpstream
from shared.settings import read_settings

PUBLIC = ["93.184.216.34", "2606:4700::6810:84e5", "64:ff9b::5db8:d822", "8.8.8.8", "172.32.0.1"]
NETWORKS = ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "fd12:3456::1"]
NEVER = [
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "0.1.2.3", "169.254.169.254", "169.254.170.2", "::1", "::", "fe80::1",
    "fe80::1%eth0", "fd00:ec2::254", "100.100.100.200", "192.0.0.192", "224.0.0.1", "240.0.0.1", "255.255.255.255",
    "ff02::1", "fec0::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe", "64:ff9b:1::a9fe:a9fe", "2002:5db8:d822::1", "2002:7f00:1::", "2002:a9fe:a9fe::1",
    "2001:db8::1", "nonsense", "",
]  # fmt: skip
HIDDEN_NETWORKS = ["::ffff:10.0.0.1", "64:ff9b::a00:1"]


@pytest.mark.parametrize("address", PUBLIC)
def test_what_the_internet_routes_is_reached(address: str) -> None:
    assert may_reach(address, "public")
    assert may_reach(address, "networks")


@pytest.mark.parametrize("address", [*NETWORKS, "::ffff:10.0.0.1"])
def test_private_networks_are_reached_where_they_are_meant(address: str) -> None:
    assert not may_reach(address, "public")
    assert may_reach(address, "networks")
    assert may_reach(address, "anywhere")


@pytest.mark.parametrize("address", [*NEVER, *HIDDEN_NETWORKS])
def test_a_hosts_own_addresses_are_not_however_they_are_spelt(address: str) -> None:
    assert not may_reach(address, "public")
    if address not in HIDDEN_NETWORKS:
        assert not may_reach(address, "networks")
    assert may_reach(address, "anywhere")


@dataclass
class Inside:
    """A server that nobody outside should reach, and how often somebody did."""

    port: int = 0
    met: list[bytes] = field(default_factory=list)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.met.append(b"")
        while line := await reader.readline():
            self.met.append(line)
            if line == b"\r\n":
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecret")
        writer.close()


@pytest.fixture
async def inside() -> AsyncIterator[Inside]:
    found = Inside()
    server = await asyncio.start_server(found.accept, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    yield found
    server.close()


class Names:
    """A resolver: names with their addresses, one list after the other."""

    def __init__(self, **names: list[list[str]]) -> None:
        self.names = names
        self.asked = 0

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked += 1
        answers = self.names[host]
        return answers.pop(0) if len(answers) > 1 else answers[0]


async def fetch(upstream: PooledUpstream, url: str, *, public_only: bool = False) -> bytes:
    async with upstream.request("GET", url, headers={}, public_only=public_only) as response:
        return await response.read()


@pytest.mark.parametrize("reach", ["public", "networks"])
@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "127.1", "0177.0.0.1", "0", "[::ffff:127.0.0.1]", "0.0.0.0"],
)
async def test_no_spelling_of_this_machine_is_connected_to(inside: Inside, reach: Reach, host: str) -> None:
    upstream = PooledUpstream(reach=reach)
    for scheme in ("http", "https"):
        with pytest.raises(UpstreamUnreachable, match="private address"):
            await fetch(upstream, f"{scheme}://{host}:{inside.port}/")
    assert inside.met == []
    assert upstream._idle == {}


@pytest.mark.parametrize("found", [["127.0.0.1"], ["93.184.216.34", "127.0.0.1"], ["127.0.0.1", "93.184.216.34"]])
async def test_a_name_is_refused_for_any_of_its_addresses(inside: Inside, found: list[str]) -> None:
    upstream = PooledUpstream(reach="public", resolve=Names(evil=[found]))
    with pytest.raises(UpstreamUnreachable, match="private address") as caught:
        await fetch(upstream, f"http://evil:{inside.port}/")
    assert "127.0.0.1" not in str(caught.value)  # what is inside is not told
    assert inside.met == []


async def test_a_name_that_changes_is_checked_at_every_connection(inside: Inside) -> None:
    """Rebinding: what was resolved and checked is what is connected to, and nobody resolves again in between."""
    names = Names(evil=[["93.184.216.34"], ["127.0.0.1"]])
    upstream = PooledUpstream(reach="public", resolve=names)
    address = locate(f"http://evil:{inside.port}/")
    assert await upstream._checked(address, "public", None) == ["93.184.216.34"]
    with pytest.raises(UpstreamUnreachable, match="private address"):
        await fetch(upstream, f"http://evil:{inside.port}/")
    assert (names.asked, inside.met) == (2, [])


async def test_a_connection_that_was_allowed_is_not_lent_to_who_may_not(inside: Inside) -> None:
    upstream = PooledUpstream()
    url = f"http://127.0.0.1:{inside.port}/"
    assert await fetch(upstream, url) == b"secret"
    with pytest.raises(UpstreamUnreachable, match="private address"):
        await fetch(upstream, url, public_only=True)
    assert await fetch(upstream, url) == b"secret"
    assert inside.met.count(b"") == 1  # one connection, used twice
    await upstream.aclose()


async def test_behind_the_operators_proxy_a_private_target_is_refused_and_the_proxy_is_not(
    inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{inside.port}")
    names = Names(good=[["93.184.216.34"]], evil=[["10.0.0.1"]])
    upstream = PooledUpstream(reach="public", resolve=names)
    assert await fetch(upstream, "http://good/") == b"secret"
    met = len(inside.met)
    with pytest.raises(UpstreamUnreachable, match="private address"):
        await fetch(upstream, "http://evil/")
    assert len(inside.met) == met
    await upstream.aclose()


async def test_the_next_address_is_tried(inside: Inside) -> None:
    upstream = PooledUpstream()
    connection = await upstream._dial_any(locate(f"http://name:{inside.port}/"), ["127.9.9.9", "127.0.0.1"])
    assert connection.usable
    connection.abort()
    await asyncio.sleep(0)


def test_the_cloud_refuses_unless_it_is_told_otherwise() -> None:
    assert read_settings({}).private_upstreams == "allowed"
    assert read_settings({"AWS_LAMBDA_RUNTIME_API": "x"}).private_upstreams == "refused"
    assert Context().upstreams == "refused"
    assert Context(vpc="vpc-01234567", subnets=("subnet-01234567",)).upstreams == "networks"
    assert Context(private_upstreams="allowed").upstreams == "allowed"


async def test_a_redirect_leads_nowhere() -> None:
    """A backend cannot send the gateway, and its key, somewhere else: redirects are answers."""
    met: list[bytes] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        met.append(await reader.readuntil(b"\r\n\r\n"))
        place = f"http://127.0.0.1:{writer.get_extra_info('sockname')[1]}/latest/meta-data"
        writer.write(f"HTTP/1.1 302 Found\r\nlocation: {place}\r\ncontent-length: 0\r\n\r\n".encode())
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    upstream = PooledUpstream()
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with upstream.request("GET", url, headers={"authorization": "Bearer k"}) as response:
        assert response.status == 302
    assert len(met) == 1
    await upstream.aclose()
    server.close()
