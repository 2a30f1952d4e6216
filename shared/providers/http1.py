"""One HTTP/1.1 connection: a request goes out, the answer's head and body come in, silence and ends are noticed."""

from __future__ import annotations

import asyncio
import time
from typing import cast

from httptools.parser.errors import HttpParserError, HttpParserUpgrade
from httptools.parser.parser import HttpResponseParser

from shared.errors import GatewayError, UpstreamCut, UpstreamMalformed, UpstreamTimedOut

MAX_HEAD_BYTES = 64 * 1024
READ_BYTES = 64 * 1024
_HELD_BYTES = 256 * 1024  # more than this unread, and reading pauses until the reader has caught up


class Connection(asyncio.BufferedProtocol):
    """Serves one exchange at a time: `send`, `head`, then `receive` until it returns nothing.

    A BufferedProtocol, because asyncio's other kind allocates 256 KiB for every read: that alone doubled the cost of
    a small chunk.
    """

    def __init__(self, place: str, buffer: memoryview) -> None:
        """`buffer` may be shared by all connections of a loop: what is read into it is parsed before the next read."""
        self.place = place
        self.requests = 0
        self.idle_since = 0.0
        self.lost = False
        self._loop = asyncio.get_running_loop()
        self._buffer = buffer
        self._parser = HttpResponseParser(self)
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._busy = False
        self._begin(0.0, None, bodiless=False)

    def _begin(self, idle_seconds: float, ends_at: float | None, *, bodiless: bool) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.answered = False  # a byte of the answer has come
        self.complete = False
        self._keep_alive = False
        self._head_done = False
        self._head_bytes = 0
        self._bodiless = bodiless
        self._until_eof = False
        self._pieces: list[bytes] = []
        self._held = 0
        self._paused = False
        self._failure: GatewayError | None = None
        self._idle_seconds = idle_seconds
        self._ends_at = ends_at
        self._active_at = self._loop.time()
        self._unsent = 0

    # what the client calls

    @property
    def usable(self) -> bool:
        return not self.lost and not self.transport.is_closing()

    @property
    def reusable(self) -> bool:
        return self.complete and self._keep_alive and self._failure is None and self.usable

    def send(self, head: bytes, body: bytes | None, idle_seconds: float, ends_at: float | None, bodiless: bool) -> None:
        """Start an exchange. `ends_at` is in the loop's time; `bodiless` says that the answer has no body by nature."""
        self._begin(idle_seconds, ends_at, bodiless=bodiless)
        self._busy = True
        self.requests += 1
        if body and len(body) > READ_BYTES:
            self.transport.write(head)
            self.transport.write(body)
        else:
            self.transport.write(head + body if body else head)
        self._watch()

    async def head(self) -> None:
        """Wait until `status` and `headers` are there."""
        while not self._head_done:
            await self._wait()

    async def receive(self) -> bytes:
        """What has arrived of the body since the last call; nothing at its end."""
        while not self._pieces:
            if self.complete:
                return b""
            await self._wait()
        pieces, self._pieces, self._held = self._pieces, [], 0
        if self._paused:
            self._paused = False
            self.transport.resume_reading()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def rest(self) -> None:
        """End the exchange and stay open for the next."""
        self._busy = False
        self._pieces, self._held = [], 0
        self.idle_since = time.time()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def start_over(self, transport: asyncio.Transport) -> None:
        """Go on inside a tunnel, with a parser that has seen nothing yet."""
        self.transport = transport
        self.requests = 0
        self._parser = HttpResponseParser(self)

    def abort(self) -> None:
        """End the exchange and the connection at once, whatever is still unsent."""
        self.rest()
        self.transport.abort()

    # what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        if not self._busy:  # an answer nobody asked for, as a 408 before the server closes
            self.transport.abort()
            return
        self.answered = True
        self._active_at = self._loop.time()
        try:
            self._parser.feed_data(self._buffer[:nbytes])
        except (HttpParserError, HttpParserUpgrade):
            self._keep_alive = False
            if not self.complete:
                self._fail(UpstreamMalformed(f"{self.place} does not answer in HTTP/1.1"))
        if not self._head_done:
            self._head_bytes += nbytes
            if self._head_bytes > MAX_HEAD_BYTES:
                self._fail(UpstreamMalformed(f"{self.place} answered with headers of more than {MAX_HEAD_BYTES} bytes"))
        elif self._held > _HELD_BYTES and not self._paused and not self.complete:
            self._paused = True
            self.transport.pause_reading()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        if self._busy and not self.complete:
            if self._head_done and self._until_eof and exc is None:
                self.complete = True
            elif self._head_done:
                self._fail(UpstreamCut(f"{self.place} closed the connection in the middle of its answer"))
            else:
                self._fail(UpstreamCut(f"{self.place} closed the connection without an answer"))
        self._wake()

    # what the parser calls

    def on_message_begin(self) -> None:
        if self.complete:  # a second answer to one request
            self._keep_alive = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._head_done:  # a trailer
            return
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        self.headers[key] = f"{self.headers[key]}, {text}" if key in self.headers else text

    def on_headers_complete(self) -> None:
        if self.complete:
            return
        status = self._parser.get_status_code()
        if 100 <= status < 200 and status != 101:  # "continue", "early hints": the answer is still to come
            self.headers = {}
            return
        self.status = status
        self._keep_alive = self._parser.should_keep_alive()
        self._until_eof = "content-length" not in self.headers and (
            "chunked" not in self.headers.get("transfer-encoding", "").lower()
        )
        self._head_done = True
        if self._bodiless:  # the parser does not know and waits for a body
            self.complete = True
            self._keep_alive = False

    def on_body(self, body: bytes) -> None:
        if not self.complete:
            self._pieces.append(body)
            self._held += len(body)

    def on_message_complete(self) -> None:
        if self._head_done:
            self.complete = True

    # waiting

    async def _wait(self) -> None:
        if self._failure is not None:
            raise self._failure
        self._active_at = self._loop.time()  # a slow reader is not a silent backend
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, failure: GatewayError) -> None:
        if self._failure is None:
            self._failure = failure
        self.transport.abort()
        self._wake()

    def _watch(self) -> None:
        """One timer an exchange, set anew when it rings: a timer a read would cost more than the read."""
        now = self._loop.time()
        unsent = self.transport.get_write_buffer_size()
        if unsent < self._unsent:  # a long body is still on its way
            self._active_at = now
        self._unsent = unsent
        rings_at = self._active_at + self._idle_seconds
        if self._waiter is None:
            rings_at = max(rings_at, now + min(1.0, self._idle_seconds))
        if self._ends_at is not None and now >= self._ends_at:
            self._fail(UpstreamTimedOut(f"{self.place} did not finish its answer in time"))
        elif now >= rings_at:
            what = "fell silent in the middle of its answer" if self._head_done else "did not answer"
            self._fail(UpstreamTimedOut(f"{self.place} {what} for {self._idle_seconds:g} s"))
        else:
            self._timer = self._loop.call_at(min(rings_at, self._ends_at or rings_at), self._watch)
