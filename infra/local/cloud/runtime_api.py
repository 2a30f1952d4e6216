"""The server's side of the Lambda Runtime API, one for each execution environment; h11 speaks the HTTP, for it reads
the trailers with which a streamed answer says that it failed.

Source: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html, runtimes-custom.html.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeAlias

import h11

from infra.local.cloud.invocation import Buffered, Failed, Invocation, Streamed
from infra.local.cloud.limits import Limits
from shared.wire import loads

log = logging.getLogger(__name__)

_ROOT = "/2018-06-01/runtime/"
_READ_BYTES = 1 << 16
_ACCEPTED = b'{"status":"OK"}\n'
_TOO_LARGE = b'{"errorMessage":"Exceeded maximum allowed payload size","errorType":"RequestEntityTooLarge"}'

Next: TypeAlias = Callable[[], Awaitable[Invocation]]


class RuntimeApi:
    """`next_invocation` waits for work; `broken` is told of a failed init. `address` is set by `start`."""

    def __init__(self, arn: str, limits: Limits, next_invocation: Next, broken: Callable[[Failed], None]) -> None:
        self.address = ""
        self._arn = arn
        self._limits = limits
        self._next = next_invocation
        self._broken = broken
        self._current: Invocation | None = None
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()[:2]
        self.address = f"{host}:{port}"

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(_Connection(reader, writer)))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, connection: _Connection) -> None:
        try:
            while (request := await connection.request()) is not None:
                await self._answer(connection, request)
                if not connection.again():
                    return
        except (OSError, h11.RemoteProtocolError) as problem:
            log.debug("a connection of the runtime ended: %s", problem)
        finally:
            connection.close()

    async def _answer(self, connection: _Connection, request: h11.Request) -> None:
        what = request.target.decode().removeprefix(_ROOT)
        if what == "invocation/next":
            self._current = None
            invocation = self._current = await self._next()
            await connection.respond(200, invocation.event, _told(invocation, self._arn))
        elif what == "restore/next":
            await connection.respond(200, b"")
        elif what == "init/error":
            self._broken(_failure(await connection.body(self._limits.buffered_bytes)))
            await connection.respond(202, _ACCEPTED)
        else:
            await self._take(connection, request, what)

    async def _take(self, connection: _Connection, request: h11.Request, what: str) -> None:
        invocation = self._current
        _, _, rest = what.partition("invocation/")
        request_id, _, kind = rest.partition("/")
        if invocation is None or invocation.id != request_id or invocation.result.done():
            await connection.respond(400, b'{"errorType":"InvalidRequestID"}')
        elif kind == "error":
            invocation.answer(_failure(await connection.body(self._limits.buffered_bytes)))
            await connection.respond(202, _ACCEPTED)
        elif _header(request, b"lambda-runtime-function-response-mode") == b"streaming":
            await self._stream(connection, invocation)
        elif (payload := await connection.body(self._limits.buffered_bytes)) is None:
            invocation.answer(Failed("Function.ResponseSizeTooLarge", "the answer has more than 6 MB"))
            await connection.respond(413, _TOO_LARGE)
        else:
            invocation.answer(Buffered(payload))
            await connection.respond(202, _ACCEPTED)

    async def _stream(self, connection: _Connection, invocation: Invocation) -> None:
        stream, size = Streamed(), 0
        invocation.answer(stream)
        try:
            async for chunk in connection.chunks():
                size += len(chunk)
                if size > self._limits.streamed_bytes:
                    await invocation.break_off(Failed("Function.ResponseSizeTooLarge", "more than 200 MB"))
                    await connection.respond(413, _TOO_LARGE)
                    return
                await stream.put(chunk)
        except (OSError, h11.RemoteProtocolError):
            await invocation.break_off(Failed("Runtime.TruncatedResponse", "the runtime closed its connection"))
            raise
        invocation.stream = None
        await stream.end(_trailing_failure(connection.trailers))
        await connection.respond(202, _ACCEPTED)


class _Connection:
    """One connection of the runtime's; requests on it come one after the other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._state = h11.Connection(h11.SERVER)
        self.trailers: dict[bytes, bytes] = {}

    async def request(self) -> h11.Request | None:
        """None when the runtime has closed the connection."""
        event = await self._event()
        return event if isinstance(event, h11.Request) else None

    async def _event(self) -> h11.Event:
        while True:
            event = self._state.next_event()
            if isinstance(event, h11.Event):
                return event
            self._state.receive_data(await self._reader.read(_READ_BYTES))

    async def chunks(self) -> AsyncIterator[bytes]:
        """The request's body as it comes; `trailers` are there at its end."""
        while not isinstance(event := await self._event(), h11.EndOfMessage):
            if isinstance(event, h11.Data):
                yield bytes(event.data)
        self.trailers = dict(event.headers)

    async def body(self, most: int) -> bytes | None:
        """The whole body, or None when it is larger; it is read to its end then, too."""
        whole = bytearray()
        async for chunk in self.chunks():
            if len(whole) <= most:
                whole += chunk
        return None if len(whole) > most else bytes(whole)

    async def respond(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        told = [*(headers or {}).items(), ("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        # /next is a GET without a body, whose end is still to be read
        if self._state.their_state is h11.SEND_BODY:
            await self.body(1 << 62)
        parts = [h11.Response(status_code=status, headers=told), h11.Data(data=body), h11.EndOfMessage()]
        self._writer.write(b"".join(self._state.send(part) or b"" for part in parts))
        await self._writer.drain()

    def again(self) -> bool:
        """Whether another request can follow."""
        if self._state.our_state is not h11.DONE or self._state.their_state is not h11.DONE:
            return False
        self._state.start_next_cycle()
        self.trailers = {}
        return True

    def close(self) -> None:
        self._writer.close()


def _told(invocation: Invocation, arn: str) -> dict[str, str]:
    return {
        "Lambda-Runtime-Aws-Request-Id": invocation.id,
        "Lambda-Runtime-Deadline-Ms": str(invocation.deadline_ms),
        "Lambda-Runtime-Invoked-Function-Arn": arn,
        "Lambda-Runtime-Trace-Id": f"Root=1-{invocation.deadline_ms // 1000:08x}-{invocation.id.replace('-', '')[:24]}",
    }


def _failure(body: bytes | None) -> Failed:
    try:
        told = loads(body or b"{}")
        return Failed(str(told.get("errorType", "Unknown")), str(told.get("errorMessage", "")))
    except (ValueError, AttributeError):
        return Failed("Runtime.Unknown", "an error that is not JSON")


def _trailing_failure(trailers: dict[bytes, bytes]) -> Failed | None:
    kind = trailers.get(b"lambda-runtime-function-error-type")
    if kind is None:
        return None
    try:
        body = base64.b64decode(trailers.get(b"lambda-runtime-function-error-body", b""), validate=True)
    except binascii.Error:
        body = b""
    return Failed(kind.decode(), _failure(body).message)


def _header(request: h11.Request, name: bytes) -> bytes:
    return next((value for key, value in request.headers if key == name), b"")
