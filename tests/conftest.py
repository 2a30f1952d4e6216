"""No test leaves this machine: a connection to anything but loopback fails the test that tries it."""

from __future__ import annotations

import ipaddress
import sys
from typing import Any


class LeavesTheMachine(RuntimeError):
    pass


def _guard(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in ("socket.connect", "socket.sendto"):
        return
    address = arguments[-1]
    if not isinstance(address, tuple) or not isinstance(address[0], str):
        return  # a Unix socket
    try:
        inside = ipaddress.ip_address(address[0].partition("%")[0]).is_loopback
    except ValueError:
        inside = address[0] in ("localhost", "")
    if not inside:
        raise LeavesTheMachine(f"a test tried to reach {address[0]}")


sys.addaudithook(_guard)  # it cannot be taken away again, and needs no patched socket
