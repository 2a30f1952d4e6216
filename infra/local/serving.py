"""uvicorn, set up the same way for both ports."""

from __future__ import annotations

import errno
import socket
import time

import uvicorn

from infra.local.one_write import OneWriteProtocol
from shared.web.asgi import App

_PATIENCE_SECONDS = 5.0


class PortTaken(Exception):
    """The message is one line that names the variable to change."""


def bind(host: str, port: int, variable: str) -> socket.socket:
    """A listening socket; a port that a dying process still holds is waited for."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        # With the protocol named, asyncio turns Nagle's algorithm off: else each answer waits 40 ms for an ACK.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen(2_048)
        except OSError as error:
            listener.close()
            if error.errno == errno.EADDRINUSE and time.monotonic() < deadline:
                time.sleep(0.1)
                continue
            raise PortTaken(f"{variable}: cannot listen on {host}:{port} ({error.strerror})") from None
        return listener


def server(app: App) -> uvicorn.Server:
    """No access log (the ledger has every request), and a bounded patience with streams when it stops."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=OneWriteProtocol,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # TRUSTED_PROXIES is read by the app, the same here and in the cloud
            timeout_keep_alive=75,
            timeout_graceful_shutdown=5,
        )
    )
