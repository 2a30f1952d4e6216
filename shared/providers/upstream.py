"""The HTTP client that all adapters share: pooled connections, real chunks, and failures in the gateway's words."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, TypeAlias, cast

from shared.errors import (
    UpstreamCut,
    UpstreamFailure,
    UpstreamMalformed,
    UpstreamTimedOut,
    UpstreamUnreachable,
)
from shared.providers.address import Address, locate, proxy_for
from shared.providers.base import Timeouts
from shared.providers.decoding import Decoder
from shared.providers.head import joined, write_head
from shared.providers.http1 import READ_BYTES, Connection
from shared.providers.reach import Reach, may_reach

Resolve: TypeAlias = Callable[[str, int], Awaitable[list[str]]]
"""The IP addresses of a host and port; raises OSError."""

KEEP_ALIVE_SECONDS = 55.0  # load balancers close what is idle for 60
_RACE: dict[str, Any] = {"happy_eyeballs_delay": 0.25}  # a dead IPv6 route costs little; uvloop cannot
_NEXT_HOST_SECONDS = 2.0  # where a name has several addresses


class PooledResponse:
    """An answer whose status and headers have arrived and whose body has not been read."""

    def __init__(self, connection: Connection) -> None:
        self.status = connection.status
        self.headers: Mapping[str, str] = connection.headers
        self._connection: Connection | None = connection
        self._place = connection.place

    async def chunks(self) -> AsyncIterator[bytes]:
        decoder = self._decoder()
        while chunk := await self._receive():
            if decoder is None:
                yield chunk
            else:
                for piece in decoder.decode(chunk):
                    yield piece
        if decoder is not None:
            decoder.end()

    async def read(self, limit: int = 64 * 1024 * 1024) -> bytes:
        pieces: list[bytes] = []
        size = 0
        decoder = self._decoder()
        while chunk := await self._receive():
            for piece in (chunk,) if decoder is None else decoder.decode(chunk):
                size += len(piece)
                if size > limit:
                    raise UpstreamMalformed(f"{self._place} answered with more than {limit} bytes")
                pieces.append(piece)
        if decoder is not None:
            decoder.end()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def _receive(self) -> bytes:
        if self._connection is None:
            raise RuntimeError("the answer is read after its request's context was left")
        return await self._connection.receive()

    def detach(self) -> None:
        self._connection = None

    def _decoder(self) -> Decoder | None:
        encoding = self.headers.get("content-encoding", "identity").strip().lower()
        return None if encoding in ("identity", "") else Decoder(encoding, self._place)


class PooledUpstream:
    """Implements `Upstream`. Building one does no I/O.

    `ca_bundle` (else UPSTREAM_CA_BUNDLE) is a file of certificates to trust instead of the system's, which
    SSL_CERT_FILE names; like the proxies, both are read at the first connection that needs them.
    A request is sent a second time only when a pooled connection turns out to have been closed meanwhile.

    `reach` says which addresses may be connected to, whatever name they have: names are resolved here, and what was
    checked is what is connected to. `resolve` is how, the system's by default.
    """

    def __init__(
        self,
        *,
        max_connections_per_host: int = 0,
        ca_bundle: str | None = None,
        reach: Reach = "anywhere",
        resolve: Resolve | None = None,
    ) -> None:
        self._max_connections_per_host = max_connections_per_host
        self._ca_bundle = ca_bundle
        self._reach = reach
        self._resolve = resolve or _resolve
        self._tls: ssl.SSLContext | None = None
        self._buffer = memoryview(bytearray(READ_BYTES))
        self._idle: dict[tuple[bool, str, int, Reach], deque[Connection]] = {}
        self._turns: dict[tuple[bool, str, int], asyncio.Semaphore] = {}
        self._proxies: dict[tuple[bool, str, int], Address | None] = {}

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        timeouts: Timeouts = Timeouts(),
        public_only: bool = False,
    ) -> AbstractAsyncContextManager[PooledResponse]:
        return _Exchange(self, method, url, headers, body, timeouts, "public" if public_only else self._reach)

    async def aclose(self) -> None:
        """Close what is idle; a connection in use is closed by its request's context."""
        for waiting in self._idle.values():
            for connection in waiting:
                connection.abort()
        self._idle.clear()
        await asyncio.sleep(0)  # the transports close their sockets in the loop's next turn

    def route(self, address: Address) -> Address | None:
        """The proxy before an address, looked up once per host."""
        key = address[:3]
        if key not in self._proxies:
            self._proxies[key] = proxy_for(address)
        return self._proxies[key]

    async def turn(self, address: Address, timeouts: Timeouts) -> asyncio.Semaphore | None:
        """Wait until the host may have one more connection; what is returned is to be released."""
        if not self._max_connections_per_host:
            return None
        turns = self._turns.setdefault(address[:3], asyncio.Semaphore(self._max_connections_per_host))
        try:
            async with asyncio.timeout(_shorter(timeouts.idle, timeouts.total)):
                await turns.acquire()
        except TimeoutError as error:
            raise UpstreamTimedOut(
                f"all {self._max_connections_per_host} connections to {address.place} are busy"
            ) from error
        return turns

    def pooled(self, address: Address, reach: Reach) -> Connection | None:
        waiting = self._idle.get((*address[:3], reach))
        while waiting:
            connection = waiting.pop()
            if connection.usable and time.time() - connection.idle_since < KEEP_ALIVE_SECONDS:
                return connection
            connection.abort()
        return None

    def give_back(self, address: Address, connection: Connection, reach: Reach) -> None:
        if not connection.reusable:
            connection.abort()
            return
        connection.rest()
        waiting = self._idle.setdefault((*address[:3], reach), deque())
        waiting.append(connection)
        while not waiting[0].usable or connection.idle_since - waiting[0].idle_since > KEEP_ALIVE_SECONDS:
            waiting.popleft().abort()

    async def connect(self, address: Address, timeouts: Timeouts, reach: Reach) -> Connection:
        """A new connection, through the proxy if there is one. Raises UpstreamUnreachable."""
        proxy = self.route(address)
        try:
            async with asyncio.timeout(_shorter(timeouts.connect, timeouts.total)):
                hosts = [address.host] if reach == "anywhere" else await self._checked(address, reach, proxy)
                if proxy is None:
                    return await self._dial_any(address, hosts)
                connection = await self._dial(proxy, proxy.host, address.place)  # the operator's own, wherever it is
                if address.secure:
                    await self._tunnel(connection, address, proxy, timeouts)
                return connection
        except TimeoutError as error:
            raise UpstreamUnreachable(f"no connection to {address.place} in time") from error
        except (OSError, ValueError, UpstreamCut, UpstreamMalformed) as error:
            through = f" through the proxy {proxy.place}" if proxy else ""
            raise UpstreamUnreachable(f"no connection to {address.place}{through}: {_reason(error)}") from error

    async def _checked(self, address: Address, reach: Reach, proxy: Address | None) -> list[str]:
        """The addresses of a host, all of which may be reached. Raises UpstreamUnreachable."""
        try:
            found = await self._resolve(address.host, address.port)
        except OSError:
            if proxy is None:
                raise
            return []  # a name that only the proxy knows
        if not all(may_reach(each, reach) for each in found):
            raise UpstreamUnreachable(
                f"{address.place} is at a private address, and this gateway calls only "
                + ("public ones" if reach == "public" else "public ones and private networks")
                + "; PRIVATE_UPSTREAMS says which"
            )
        return found

    async def _dial_any(self, address: Address, hosts: list[str]) -> Connection:
        """The first host that answers. One after the other: a race of our own would gain little where IPv6 works."""
        for host in hosts[:-1]:
            try:
                async with asyncio.timeout(_NEXT_HOST_SECONDS):
                    return await self._dial(address, host, address.place)
            except (OSError, TimeoutError):
                continue
        return await self._dial(address, hosts[-1], address.place)

    async def _dial(self, address: Address, host: str, place: str) -> Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(
            lambda: Connection(place, self._buffer),
            host,
            address.port,
            ssl=self._tls_context() if address.secure else None,
            server_hostname=address.host if address.secure else None,
            **(_RACE if isinstance(loop, asyncio.BaseEventLoop) else {}),
        )
        return connection

    async def _tunnel(self, connection: Connection, address: Address, proxy: Address, timeouts: Timeouts) -> None:
        host = f"[{address.host}]" if ":" in address.host else address.host
        lines = [f"CONNECT {host}:{address.port} HTTP/1.1", f"host: {host}:{address.port}"]
        if proxy.authorization:
            lines.append(f"proxy-authorization: {proxy.authorization}")
        try:
            connection.send(joined(lines) + b"\r\n", None, timeouts.idle, None, True)
            await connection.head()
            connection.rest()
            if not 200 <= connection.status < 300:
                raise ConnectionError(f"it answered {connection.status}")
            secured = await asyncio.get_running_loop().start_tls(
                connection.transport, connection, self._tls_context(), server_hostname=address.host
            )
        except BaseException:
            connection.abort()
            raise
        connection.start_over(cast("asyncio.Transport", secured))

    def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context(cafile=self._ca_bundle or os.environ.get("UPSTREAM_CA_BUNDLE"))
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls


class _Exchange:
    """The context of one request: entered, it is answered; left, its connection is pooled again or closed."""

    def __init__(
        self,
        upstream: PooledUpstream,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        timeouts: Timeouts,
        reach: Reach,
    ) -> None:
        self._upstream = upstream
        self._reach = reach
        self._method = method
        self._url = url
        self._headers = headers
        self._body = body
        self._timeouts = timeouts
        self._connection: Connection | None = None
        self._turn: asyncio.Semaphore | None = None

    async def __aenter__(self) -> PooledResponse:
        self._address = address = locate(self._url)
        head = write_head(self._method, address, self._upstream.route(address), self._headers, self._body)
        total = self._timeouts.total
        ends_at = None if total is None else asyncio.get_running_loop().time() + total
        self._turn = await self._upstream.turn(address, self._timeouts)
        try:
            connection = self._upstream.pooled(address, self._reach)
            if connection is None or not await self._ask(connection, head, ends_at):
                connection = await self._upstream.connect(address, self._timeouts, self._reach)
                await self._ask(connection, head, ends_at)
        except BaseException:
            self._leave()
            raise
        self._response = PooledResponse(connection)
        return self._response

    async def _ask(self, connection: Connection, head: bytes, ends_at: float | None) -> bool:
        """Whether there is an answer; there is none when a pooled connection was closed before its first byte."""
        self._connection = connection
        connection.send(head, self._body, self._timeouts.idle, ends_at, self._method == "HEAD")
        try:
            await connection.head()
        except UpstreamCut:
            if connection.requests > 1 and not connection.answered:
                return False
            raise
        return True

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._response.detach()
        self._leave()

    def _leave(self) -> None:
        if self._connection is not None:
            self._upstream.give_back(self._address, self._connection, self._reach)
            self._connection = None
        if self._turn is not None:
            self._turn.release()
            self._turn = None


async def _resolve(host: str, port: int) -> list[str]:
    """The addresses of a name, in the system's order; raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def _shorter(seconds: float, total: float | None) -> float:
    return seconds if total is None else min(seconds, total)


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message}); UPSTREAM_CA_BUNDLE names a private authority"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason or 'unknown reason'})"
    if isinstance(error, socket.gaierror):
        return "no such host"
    # asyncio joins the failures of several addresses, as those of localhost, in one text
    if isinstance(error, ConnectionRefusedError) or f"[Errno {errno.ECONNREFUSED}]" in str(error):
        return "connection refused"
    if isinstance(error, UpstreamFailure) or type(error) is ConnectionError:
        return str(error)
    return getattr(error, "strerror", None) or type(error).__name__
