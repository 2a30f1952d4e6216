"""One ASGI app for every route that answers with a model's words, whichever protocol it speaks.

No framework response: the status waits for the first event, silence is filled with keep-alives, a client that leaves
cancels the work at once, the platform's deadline ends it with the protocol's own timeout error, and the ledger is
settled in every ending.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress

from shared.chat.request import ChatRequest
from shared.chat.response import Response
from shared.errors import GatewayError, InternalError
from shared.gateway.answer import Answer, Gateway
from shared.gateway.metering import Caller
from shared.protocols.fields import read_object
from shared.protocols.rendering import Envelope, StreamRenderer, Wire
from shared.web.asgi import Headers, Later, Receive, Scope, Send, read_body, send_json, while_client_stays
from shared.web.extensions import FAILURE, ending_before, takes_failures
from shared.web.responses import answer_headers, caller_of, error_headers, wanted_headers
from shared.wire import dumps

log = logging.getLogger(__name__)


class ChatRoute:
    """Parse, answer, render: one route of one wire.

    `gateway` is called once per request and returns the process's gateway; `keep_alive_seconds` is the longest
    silence of a stream, also before its first event: then the status is given away, but not the other targets.
    """

    def __init__(
        self,
        wire: Wire,
        gateway: Callable[[], Gateway],
        *,
        max_body_bytes: int,
        keep_alive_seconds: float = 10.0,
    ) -> None:
        self._wire = wire
        self._gateway = gateway
        self._max_body_bytes = max_body_bytes
        self._keep_alive_seconds = keep_alive_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        caller = caller_of(scope)
        exchange = _Exchange(self._wire, self._gateway(), caller, send, tells_failure=takes_failures(scope))
        try:
            body = await read_body(scope, receive, self._max_body_bytes)
            request = self._wire.parse(read_object(body))
            request = wanted_headers(request, scope)
        except GatewayError as error:
            await exchange.refuse(error)
            return
        if not await self._while_client_stays(exchange, request, receive):
            log.info("client left", extra={"request_id": caller.request_id})
        await exchange.flush()

    async def _while_client_stays(self, exchange: _Exchange, request: ChatRequest, receive: Receive) -> bool:
        """Run the exchange, fill its silences, and stop it when the client leaves; whether it came to its end."""
        if not request.stream:
            return await while_client_stays(exchange.run(request), receive)
        seconds = self._keep_alive_seconds
        keeper = Later(seconds, lambda: exchange.fill_silences(seconds))
        try:
            return await while_client_stays(exchange.run(request), receive)
        finally:
            keeper.cancel()


class _Exchange:
    """One request's answer on its way to the client."""

    def __init__(self, wire: Wire, gateway: Gateway, caller: Caller, send: Send, *, tells_failure: bool) -> None:
        self._wire = wire
        self._gateway = gateway
        self._caller = caller
        self._send = send
        self._tells_failure = tells_failure
        self._renderer: StreamRenderer | None = None
        self._status_sent = False
        self._ended = False
        self._whole_only = False
        self._last_sent = time.monotonic()

    async def run(self, request: ChatRequest) -> None:
        """The whole exchange; failures become the protocol's errors."""
        answer: Answer | None = None
        try:
            async with ending_before(self._caller.deadline):
                answer = await self._gateway.answer(request, self._caller)
                if request.stream and (self._status_sent or not answer.virtual_model.force_non_streaming):
                    await self._stream(request, answer)
                else:
                    self._whole_only = True
                    await self._whole(request, answer)
        except GatewayError as error:
            await self._fail(request, error)
        except OSError:
            return  # the server says so when the client has gone between two sends
        except Exception:  # the outermost handler: whatever it is, the client gets a protocol's error and no traceback
            log.exception("request failed", extra={"request_id": self._caller.request_id})
            await self._fail(request, InternalError("the gateway failed; its log names the reason by the request id"))
        finally:
            if answer is not None:
                await answer.aclose()

    async def _stream(self, request: ChatRequest, answer: Answer) -> None:
        while (batch := await answer.next()) is not None:
            data = self._rendering(request).feed(batch)
            if data:
                await self._start_stream(answer)
                await self._write(data)
        await self._start_stream(answer)
        await self._write(self._rendering(request).finish(), last=True)

    def _rendering(self, request: ChatRequest) -> StreamRenderer:
        """The stream's one renderer, made when the first thing is to be said."""
        if self._renderer is None:
            self._renderer = self._wire.stream(Envelope(request))
        return self._renderer

    async def _whole(self, request: ChatRequest, answer: Answer) -> None:
        response = Response()
        while (batch := await answer.next()) is not None:
            response.add(batch)
        body = dumps(self._wire.whole(Envelope(request), response))
        await self._respond(200, body, answer_headers(self._caller, answer, whole=True))

    async def _fail(self, request: ChatRequest, error: GatewayError) -> None:
        """The protocol's error: as the whole response, or in the stream whose status is given away."""
        if self._ended:
            return  # the deadline came while the last bytes were on their way
        with suppress(OSError):  # the client has gone
            if not self._status_sent:
                await self.refuse(error)
                return
            await self._write(self._rendering(request).fail(error), last=not self._tells_failure)
            if self._tells_failure:
                reason = f"the answer broke off: {error.code}"
                await self._send({"type": FAILURE, "error_type": type(error).__name__, "message": reason})

    async def refuse(self, error: GatewayError) -> None:
        """The error as a whole response."""
        headers = error_headers(self._caller, error)
        await self._respond(error.status, dumps(self._wire.error(error)), headers)

    async def flush(self) -> None:
        """After the client's last byte: what the ledger still has to write."""
        await self._gateway.settle(self._caller)

    async def fill_silences(self, seconds: float) -> None:
        """No silence is longer than `seconds`; one before the first event gives the status away."""
        while not self._whole_only:
            silent = time.monotonic() - self._last_sent
            if silent < seconds:
                await asyncio.sleep(seconds - silent)
                continue
            try:
                await self._start_stream(None)
                await self._write(self._wire.keep_alive)
            except OSError:
                return  # the server says so when the client has gone

    async def _start_stream(self, answer: Answer | None) -> None:
        if self._status_sent:
            return
        self._status_sent = True
        headers = answer_headers(self._caller, answer)
        headers += [
            (b"content-type", self._wire.media_type.encode()),
            (b"cache-control", b"no-cache"),
            (b"x-accel-buffering", b"no"),
        ]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})

    async def _write(self, data: bytes, *, last: bool = False) -> None:
        self._last_sent = time.monotonic()
        self._ended = last
        await self._send({"type": "http.response.body", "body": data, "more_body": not last})

    async def _respond(self, status: int, body: bytes, headers: Headers) -> None:
        self._status_sent = self._ended = True
        await send_json(self._send, status, body, headers)
