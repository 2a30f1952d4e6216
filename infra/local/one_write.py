"""uvicorn writes a response's head and its body one after the other; here they leave as one packet.

A second packet costs the server and the client a system call and a wake-up each, which is a tenth of a small answer.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_MOST_COPIED = 64 * 1024


class OneWriteProtocol(HttpToolsProtocol):
    """uvicorn's own protocol on a transport that waits with the head."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast("asyncio.Transport", _HeadKeeper(transport, self.loop)))


class _HeadKeeper:
    """A transport that keeps a head for what is written next, until the loop's next turn at most."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._head = b""

    def write(self, data: bytes) -> None:
        head, self._head = self._head, b""
        if head:
            if len(data) > _MOST_COPIED:
                self._transport.writelines((head, data))
            else:
                self._transport.write(head + data)
        elif data.startswith(b"HTTP/1.1 "):
            self._head = data
            self._loop.call_soon(self._flush)
        else:
            self._transport.write(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        head, self._head = self._head, b""
        if head:
            self._transport.write(head)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
