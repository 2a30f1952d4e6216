"""The HTTP client that all adapters share: pooled connections, real chunks, and failures in the gateway's words."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp
from yarl import URL

from shared.errors import InvalidRequest, UpstreamCut, UpstreamMalformed, UpstreamTimedOut, UpstreamUnreachable
from shared.providers.base import Timeouts

MAX_HEADER_BYTES = 64 * 1024
_FORBIDDEN_IN_HEADERS = ("\r", "\n", "\0")


class PooledResponse:
    """An answer whose status and headers have arrived and whose body has not been read."""

    def __init__(self, response: aiohttp.ClientResponse, place: str) -> None:
        self._response = response
        self._place = place
        self.status = response.status
        headers: dict[str, str] = {}
        for name, value in response.headers.items():
            name = name.lower()
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        self.headers: Mapping[str, str] = headers

    async def chunks(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._response.content.iter_any():
                yield chunk
        except TimeoutError as error:
            raise UpstreamTimedOut(f"{self._place} fell silent in the middle of its answer") from error
        except (aiohttp.ClientError, OSError) as error:
            raise UpstreamCut(f"{self._place} broke its answer off") from error

    async def read(self, limit: int = 64 * 1024 * 1024) -> bytes:
        pieces: list[bytes] = []
        size = 0
        async for chunk in self.chunks():
            size += len(chunk)
            if size > limit:
                raise UpstreamMalformed(f"{self._place} answered with more than {limit} bytes")
            pieces.append(chunk)
        return b"".join(pieces)


class PooledUpstream:
    """Implements `Upstream`. Building it does no I/O; `ca_bundle` is a file of certificates to trust instead of the
    system's (which SSL_CERT_FILE names)."""

    def __init__(self, *, max_connections_per_host: int = 0, ca_bundle: str | None = None) -> None:
        self._max_connections_per_host = max_connections_per_host
        self._ca_bundle = ca_bundle
        self._session: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        timeouts: Timeouts = Timeouts(),
    ) -> AsyncIterator[PooledResponse]:
        for name, value in headers.items():
            if any(bad in value or bad in name for bad in _FORBIDDEN_IN_HEADERS):
                raise InvalidRequest(f"the header {name!r} holds a line break")
        try:
            target = URL(url, encoded=True)
            place = f"{target.host}:{target.port}"
        except ValueError as error:
            raise UpstreamUnreachable("the endpoint's URL is not a URL") from error
        if target.scheme not in ("http", "https") or not target.host:
            raise UpstreamUnreachable("the endpoint's URL must start with http:// or https:// and name a host")
        response = await self._send(method, target, place, headers, body, timeouts)
        try:
            yield PooledResponse(response, place)
        finally:
            response.close()  # gives the connection back when the body was read to its end

    async def _send(
        self,
        method: str,
        target: URL,
        place: str,
        headers: Mapping[str, str],
        body: bytes | None,
        timeouts: Timeouts,
    ) -> aiohttp.ClientResponse:
        limits = aiohttp.ClientTimeout(total=timeouts.total, sock_connect=timeouts.connect, sock_read=timeouts.idle)
        if "accept-encoding" not in map(str.lower, headers):
            headers = {**headers, "accept-encoding": "identity"}
        for attempt in (1, 2):
            try:
                return await self._open().request(
                    method, target, headers=headers, data=body, timeout=limits, allow_redirects=False
                )
            except aiohttp.ConnectionTimeoutError as error:
                raise UpstreamUnreachable(f"no connection to {place} within {timeouts.connect:g} s") from error
            except TimeoutError as error:
                raise UpstreamTimedOut(f"{place} did not answer in time") from error
            except aiohttp.ClientConnectorError as error:
                raise UpstreamUnreachable(f"no connection to {place}: {_reason(error)}") from error
            except aiohttp.InvalidURL as error:
                raise UpstreamUnreachable("the endpoint's URL is not a URL") from error
            except aiohttp.ClientConnectionError as error:
                if attempt == 2:
                    raise UpstreamCut(f"{place} closed the connection without an answer") from error
            except aiohttp.ClientResponseError as error:
                raise UpstreamMalformed(f"{place} did not answer in HTTP") from error
        raise AssertionError("unreachable")

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            context = ssl.create_default_context(cafile=self._ca_bundle) if self._ca_bundle else True
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, limit_per_host=self._max_connections_per_host, ssl=context),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=True,
                skip_auto_headers=("user-agent", "accept", "content-type"),
                max_line_size=MAX_HEADER_BYTES,
                max_field_size=MAX_HEADER_BYTES,
            )
        return self._session

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None
            await asyncio.sleep(0)


def _reason(error: aiohttp.ClientConnectorError) -> str:
    cause = error.os_error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"TLS: {cause.verify_message}"
    if isinstance(cause, ssl.SSLError):
        return f"TLS: {cause.reason}"
    return cause.strerror or type(cause).__name__
