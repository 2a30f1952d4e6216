"""A Lambda Runtime API on loopback, with faults on demand; its HTTP is written here once more, from the protocol's
description, so that the runtime's own reader and writer are not their own judges."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from shared.lambda_runtime.loop import run

ARN = "arn:aws:lambda:eu-central-1:123456789012:function:chat"


@dataclass
class Posted:
    """One request of the runtime's, as it came over the wire."""

    raw: bytearray = field(default_factory=bytearray)
    method: str = ""
    path: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    chunks: list[bytes] = field(default_factory=list)
    at: list[float] = field(default_factory=list)  # when each chunk was here
    trailers: dict[str, str] = field(default_factory=dict)
    complete: bool = False
    ended_at: float = 0.0
    settled: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def payload(self) -> bytes:
        return b"".join(self.chunks)

    @property
    def prelude(self) -> Any:
        return json.loads(self.payload.partition(bytes(8))[0])

    @property
    def body(self) -> bytes:
        return self.payload.partition(bytes(8))[2]

    @property
    def error(self) -> Any:
        return json.loads(base64.b64decode(self.trailers["lambda-runtime-function-error-body"]))


@dataclass
class Offer:
    """One invocation, and what goes wrong with it."""

    request_id: str
    event: bytes
    headers: dict[str, str]
    cut_at: int | None = None  # /next's answer ends after so many bytes
    cut_in_chunk: int | None = None  # the response's connection is closed when that many chunks are here
    refuse: int | None = None  # the response is answered with this status when its head is here
    pause_seconds: float = 0.0  # a slow reader: before each read
    posted: Posted | None = None
    arrived: asyncio.Event = field(default_factory=asyncio.Event)


class FakeApi:
    def __init__(self, *, one_byte: bool = False, chunked_events: bool = False) -> None:
        self.address = ""
        self.posted: list[Posted] = []
        self.timeline: list[tuple[str, float]] = []
        self.connections = 0
        self.next_asked = asyncio.Event()
        self.tasks: set[asyncio.Task[None]] = set()
        self._one_byte = one_byte
        self._chunked_events = chunked_events
        self._offers: deque[Offer] = deque()
        self._offered = asyncio.Event()
        self._by_id: dict[str, Offer] = {}
        self._numbers = count(1)

    # what tests do

    def offer(
        self, event: Any, *, seconds: float = 30.0, headers: dict[str, str] | None = None, **faults: Any
    ) -> Offer:
        request_id = f"8476a536-e9f4-11e8-9739-{next(self._numbers):012d}"
        told = {
            "Lambda-Runtime-Aws-Request-Id": request_id,
            "Lambda-Runtime-Deadline-Ms": str(round((time.time() + seconds) * 1_000)),
            "Lambda-Runtime-Invoked-Function-Arn": ARN,
            **(headers or {}),
        }
        encoded = event if isinstance(event, bytes) else json.dumps(event).encode()
        offer = Offer(request_id, encoded, told, **faults)
        self._by_id[request_id] = offer
        self._offers.append(offer)
        self._offered.set()
        return offer

    async def posted_for(self, offer: Offer) -> Posted:
        """What the runtime posted for that invocation, once it has ended or broken off."""
        async with asyncio.timeout(10):
            await offer.arrived.wait()
            assert offer.posted is not None
            await offer.posted.settled.wait()
        return offer.posted

    async def invoke(self, event: Any, **more: Any) -> Posted:
        return await self.posted_for(self.offer(event, **more))

    async def idle(self) -> None:
        """Wait until the runtime asks for an invocation when there is none."""
        async with asyncio.timeout(10):
            while self._offers or not self.next_asked.is_set():
                await asyncio.sleep(0.001)

    def when(self, what: str) -> float:
        """When that happened last."""
        return next(at for name, at in reversed(self.timeline) if name == what)

    # what the runtime sees

    def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.create_task(self._serve(reader, writer))
        self.tasks.add(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while True:
                    posted = Posted()
                    await self._read_head(reader, posted)
                    self.posted.append(posted)
                    if not await self._answer(posted, reader, writer):
                        break
        finally:
            writer.close()

    async def _answer(self, posted: Posted, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection may be used again."""
        what = posted.path.removeprefix("/2018-06-01/runtime/")
        self.timeline.append((what.rpartition("/")[2] if what.startswith("invocation/") else what, time.monotonic()))
        if what == "invocation/next":
            posted.complete = True
            return await self._next(writer)
        if what == "restore/next":
            await self._write(writer, 200, {}, b"")
            return True
        offer = self._by_id.get(what.split("/")[1])
        if offer is not None:
            assert offer.posted is None, "an invocation was answered twice"
            offer.posted = posted
            offer.arrived.set()
        try:
            return await self._take(posted, offer or Offer("", b"", {}), reader, writer)
        finally:
            posted.settled.set()

    async def _next(self, writer: asyncio.StreamWriter) -> bool:
        self.next_asked.set()
        while not self._offers:
            self._offered.clear()
            await self._offered.wait()
        self.next_asked.clear()
        offer = self._offers.popleft()
        cut = offer.cut_at
        if cut is not None:
            offer.cut_at = None
            self._offers.appendleft(offer)
        await self._write(writer, 200, offer.headers, offer.event, chunked=self._chunked_events, cut_at=cut)
        return cut is None

    async def _take(
        self, posted: Posted, offer: Offer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        if offer.refuse is not None:
            await self._write(writer, offer.refuse, {}, b'{"errorType":"Function.ResponseSizeTooLarge"}')
            return False
        if posted.headers.get("transfer-encoding") == "chunked":
            while size := int(await self._line(reader, posted), 16):
                posted.chunks.append(await self._exactly(reader, posted, size, offer.pause_seconds))
                assert await self._line(reader, posted) == b""
                posted.at.append(time.monotonic())
                if len(posted.chunks) == offer.cut_in_chunk:
                    writer.transport.abort()
                    return False
            while line := await self._line(reader, posted):
                name, _, value = line.decode().partition(": ")
                assert name in posted.headers["trailer"].split(", "), "a trailer that was not announced"
                posted.trailers[name.lower()] = value
        else:
            posted.chunks.append(await self._exactly(reader, posted, int(posted.headers["content-length"]), 0))
        posted.complete = True
        posted.ended_at = time.monotonic()
        self.timeline.append(("ended", posted.ended_at))
        await self._write(writer, 202, {"Content-Type": "application/json"}, b'{"status":"OK"}\n')
        return True

    async def _read_head(self, reader: asyncio.StreamReader, posted: Posted) -> None:
        posted.method, posted.path, version = (await self._line(reader, posted)).decode().split(" ")
        assert version == "HTTP/1.1"
        while line := await self._line(reader, posted):
            name, _, value = line.decode().partition(": ")
            posted.headers[name.lower()] = value

    async def _line(self, reader: asyncio.StreamReader, posted: Posted) -> bytes:
        line = await reader.readuntil(b"\r\n")
        posted.raw += line
        return line[:-2]

    async def _exactly(self, reader: asyncio.StreamReader, posted: Posted, size: int, pause_seconds: float) -> bytes:
        if pause_seconds:
            await asyncio.sleep(pause_seconds)
        data = await reader.readexactly(size)
        posted.raw += data
        return data

    async def _write(
        self,
        writer: asyncio.StreamWriter,
        status: int,
        headers: dict[str, str],
        body: bytes,
        *,
        chunked: bool = False,
        cut_at: int | None = None,
    ) -> None:
        lines = [f"HTTP/1.1 {status} Whatever", *(f"{name}: {value}" for name, value in headers.items())]
        if chunked:
            lines.append("Transfer-Encoding: chunked")
            middle = len(body) // 2
            parts = [b"%X;ext=1\r\n%b\r\n" % (len(part), part) for part in (body[:middle], body[middle:]) if part]
            body = b"".join(parts) + b"0\r\nX-Trailer: of no meaning\r\n\r\n"
        else:
            lines.append(f"Content-Length: {len(body)}")
        answer = ("\r\n".join(lines) + "\r\n\r\n").encode() + body
        if self._one_byte:
            for byte in answer[:cut_at]:
                writer.write(bytes((byte,)))
                await asyncio.sleep(0)
        else:
            writer.write(answer[:cut_at])
        await writer.drain()

    def answer_length(self, offer: Offer) -> int:
        """How many bytes /next's answer for that invocation has."""
        head = "".join(f"{name}: {value}\r\n" for name, value in offer.headers.items())
        return len(f"HTTP/1.1 200 Whatever\r\n{head}Content-Length: {len(offer.event)}\r\n\r\n") + len(offer.event)


@asynccontextmanager
async def runtime_api(**options: Any) -> AsyncIterator[FakeApi]:
    api = FakeApi(**options)
    server = await asyncio.start_server(api.connect, "127.0.0.1", 0, limit=1 << 16)
    host, port = server.sockets[0].getsockname()
    api.address = f"{host}:{port}"
    try:
        yield api
    finally:
        server.close()
        for task in api.tasks:
            task.cancel()
        faults = [fault for fault in await asyncio.gather(*api.tasks, return_exceptions=True) if fault is not None]
        assert all(isinstance(fault, asyncio.CancelledError) for fault in faults), faults


@asynccontextmanager
async def running(app: Any, *, pollers: int = 1, snap_start: bool = False, **options: Any) -> AsyncIterator[FakeApi]:
    """The loop in this process; that no task of the app's is left behind is checked at the end of every test."""
    async with runtime_api(**options) as api:
        before = app_tasks()
        loop = asyncio.create_task(run(api.address, app, pollers=pollers, snap_start=snap_start))
        try:
            yield api
            if not loop.done():
                await api.idle()
                left = app_tasks() - before
                assert not left, left
        finally:
            loop.cancel()
            with suppress(asyncio.CancelledError):
                await loop


def app_tasks() -> set[asyncio.Task[Any]]:
    """All but the loop's own and those of servers that a test runs beside it."""
    known = ("run", "_poll", "FakeApi.", "RequestHandler.")
    return {task for task in asyncio.all_tasks() if not task.get_coro().__qualname__.startswith(known)}  # type: ignore[union-attr]
