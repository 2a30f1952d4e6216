"""The guard of conftest.py bites."""

import asyncio
import socket

import pytest

from tests.conftest import LeavesTheMachine


def test_a_connection_beyond_loopback_is_refused() -> None:
    with socket.socket() as outside, pytest.raises(LeavesTheMachine):
        outside.connect(("192.0.2.1", 80))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outside, pytest.raises(LeavesTheMachine):
        outside.sendto(b"x", ("192.0.2.1", 53))


async def test_asyncio_is_guarded_too() -> None:
    with pytest.raises(LeavesTheMachine):
        await asyncio.open_connection("192.0.2.1", 80)


def test_loopback_is_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert client.getpeername()[0] == "127.0.0.1"
