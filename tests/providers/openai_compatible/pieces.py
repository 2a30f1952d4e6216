"""A transport that brings one recorded answer in the pieces a test cuts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from shared.providers.base import Timeouts, UpstreamResponse


class _Response:
    def __init__(self, pieces: tuple[bytes, ...], content_type: str) -> None:
        self._pieces = pieces
        self.status = 200
        self.headers: Mapping[str, str] = {"content-type": content_type}

    async def chunks(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece

    async def read(self, limit: int = 1 << 26) -> bytes:
        return b"".join(self._pieces)


class Pieces:
    """Implements Upstream."""

    def __init__(self, *pieces: bytes, content_type: str = "text/event-stream") -> None:
        self._response = _Response(pieces, content_type)

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        timeouts: Timeouts = Timeouts(),
        public_only: bool = False,
    ) -> AbstractAsyncContextManager[UpstreamResponse]:
        return self._open()

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[UpstreamResponse]:
        yield self._response

    async def aclose(self) -> None:
        """Nothing is open."""
