"""An HTTP client that remembers what it was asked and how it went, for one probe of an endpoint."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

from shared.errors import GatewayError
from shared.providers.base import Timeouts, Upstream, UpstreamResponse


class Attempt:
    """One call: the URL without its query, and the status that came back or a word for why none did."""

    def __init__(self, url: str) -> None:
        self.url = urlunsplit((*urlsplit(url)[:3], "", ""))
        self.status: int | None = None
        self.outcome = "no answer"

    def __str__(self) -> str:
        return f"{self.url}:{self.status or self.outcome}"


class WatchedUpstream:
    """Implements `Upstream` by another one."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self.attempts: list[Attempt] = []

    @asynccontextmanager
    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        timeouts: Timeouts = Timeouts(),
        public_only: bool = False,
    ) -> AsyncIterator[UpstreamResponse]:
        attempt = Attempt(url)
        self.attempts.append(attempt)
        try:
            async with self._upstream.request(
                method, url, headers=headers, body=body, timeouts=timeouts, public_only=public_only
            ) as response:
                attempt.status = response.status
                yield response
        except GatewayError as error:
            attempt.outcome = error.code or "failed"
            raise

    async def aclose(self) -> None:
        await self._upstream.aclose()

    @property
    def last_status(self) -> int | None:
        return self.attempts[-1].status if self.attempts else None
