"""The load: requests on raw connections, one after another or many at once, with every answer checked."""

from __future__ import annotations

import asyncio
import time
from typing import Any, NamedTuple

import httptools
import orjson

from tests.benchmarks.upstream import (
    BURST_CHUNKS,
    BURST_STREAM_CHUNKS,
    CHUNKS_AROUND,
    SINGLE_STREAM_CHUNKS,
)

_PATH = "/v1/chat/completions"
_PATIENCE_SECONDS = 600.0  # the soak of 100,000 on a busy machine
_TAIL_BYTES = 300
_MESSAGES = [
    {"role": "system", "content": "You are a helpful assistant. Answer briefly. " * 4},
    {"role": "user", "content": "What is the capital of France, and why is it not Lyon? " * 4},
]
WORDS = {"burst": BURST_STREAM_CHUNKS // BURST_CHUNKS * BURST_CHUNKS, "single": SINGLE_STREAM_CHUNKS}


class Answered(NamedTuple):
    """Seconds from the request to the first and the last byte of the body, and the pieces the stream came in."""

    first: float
    last: float
    pieces: int


class Connection(asyncio.BufferedProtocol):
    """One kept-alive connection; a stream must bring every chunk and end with [DONE]."""

    def __init__(self) -> None:
        self._buffer = memoryview(bytearray(256 * 1024))
        self._answered: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    async def ask(self, request: bytes, words: int) -> Answered:
        """`words` is how many chunks with content a stream must bring; 0 is a whole answer."""
        self._parser = httptools.HttpResponseParser(self)
        self._answered = asyncio.get_running_loop().create_future()
        self._tail = b""
        self._events = self._pieces = 0
        self._first = self._last = 0.0
        sent = time.perf_counter()
        self._transport.write(request)
        await self._answered
        if self._parser.get_status_code() != 200:
            raise RuntimeError(f"HTTP {self._parser.get_status_code()}: {self._tail[:300]!r}")
        if words and (not self._tail.endswith(b"[DONE]\n\n") or not 0 <= self._events - words - 1 <= CHUNKS_AROUND):
            raise RuntimeError(f"{self._events} events for {words} words, ending {self._tail!r}")
        return Answered(self._first - sent, self._last - sent, self._pieces)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._parser.feed_data(self._buffer[:nbytes])

    def on_body(self, body: bytes) -> None:
        self._pieces += 1
        if not self._first:
            self._first = time.perf_counter()
        self._events += (self._tail[-5:] + body).count(b"data: ")  # 5: one byte less than what is counted
        self._tail = (self._tail + body if len(body) < _TAIL_BYTES else body)[-_TAIL_BYTES:]

    def on_message_complete(self) -> None:
        self._last = time.perf_counter()
        assert self._answered is not None
        if not self._answered.done():
            self._answered.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(exc or ConnectionResetError("the server closed the connection"))

    def close(self) -> None:
        self._transport.close()


def write_request(script: str) -> bytes:
    body = orjson.dumps({"model": script, "messages": _MESSAGES, "temperature": 0.7, "stream": script != "whole"})
    head = f"POST {_PATH} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
    head += f"authorization: Bearer sk-bench\r\nuser-agent: bench\r\naccept: */*\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def connect(port: int) -> Connection:
    _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port)
    return connection


async def one_by_one(ports: list[int], script: str, rounds: int, block: int = 10) -> list[list[Answered]]:
    """`rounds` blocks of requests to each server in turns, so that what disturbs one disturbs all."""
    request, words = write_request(script), WORDS.get(script, 0)
    connections = [await connect(port) for port in ports]
    answers: list[list[Answered]] = [[] for _ in ports]
    for _ in range(rounds):
        for connection, mine in zip(connections, answers, strict=True):
            await connection.ask(request, words)  # the first after a pause pays for cold caches
            for _ in range(block):
                mine.append(await connection.ask(request, words))
    for connection in connections:
        connection.close()
    return answers


async def many_at_once(port: int, script: str, connections: int, requests: int) -> tuple[float, int]:
    """Seconds that `requests` requests took on so many connections, and the pieces their bodies came in."""
    request, words = write_request(script), WORDS.get(script, 0)
    left, pieces = requests, 0

    async def work(connection: Connection) -> None:
        nonlocal left, pieces
        while left > 0:
            left -= 1
            answer = await connection.ask(request, words)
            pieces += answer.pieces

    crew = [await connect(port) for _ in range(connections)]
    began = time.perf_counter()
    async with asyncio.timeout(_PATIENCE_SECONDS):
        await asyncio.gather(*map(work, crew))
    took = time.perf_counter() - began
    for connection in crew:
        connection.close()
    return took, pieces
