"""One invocation between the service that asks for it and the environment that answers."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from typing import NamedTuple, TypeAlias

_WAITING_CHUNKS = 16


class Failed(NamedTuple):
    """The function, or Lambda, failed before an answer began."""

    kind: str
    message: str


class Buffered(NamedTuple):
    payload: bytes


class Streamed:
    """An answer that has begun. Its chunks are taken one by one, which is the function's back-pressure."""

    def __init__(self) -> None:
        self._chunks: asyncio.Queue[bytes | None] = asyncio.Queue(_WAITING_CHUNKS)
        self._ended = False
        self.failure: Failed | None = None  # known at the end

    async def next(self) -> bytes | None:
        """The next chunk; None at the end, as often as it is asked."""
        if self._ended:
            return None
        chunk = await self._chunks.get()
        self._ended = chunk is None
        return chunk

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (chunk := await self.next()) is not None:
            yield chunk

    async def put(self, chunk: bytes) -> None:
        await self._chunks.put(chunk)

    async def end(self, failure: Failed | None = None) -> None:
        self.failure = failure
        await self._chunks.put(None)


Result: TypeAlias = Buffered | Streamed | Failed


class Invocation:
    """`result` is there when an answer has begun, `over` when the environment asks for the next invocation or dies."""

    def __init__(self, event: bytes, timeout_seconds: float) -> None:
        self.id = str(uuid.uuid4())
        self.event = event
        self.deadline_ms = round((time.time() + timeout_seconds) * 1_000)
        self.result: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self.stream: Streamed | None = None

    def answer(self, result: Result) -> None:
        if not self.result.done():
            self.result.set_result(result)
        if isinstance(result, Streamed):
            self.stream = result

    async def break_off(self, failure: Failed) -> None:
        """The environment is gone, or was ended."""
        if self.stream is not None:
            stream, self.stream = self.stream, None
            await stream.end(failure)
        self.answer(failure)
