"""A scripted OpenAI-compatible backend that costs as little as it can: one process, no framework, no JSON parsing.

The model's name is the script: `whole` answers at once, `burst` streams as fast as it is read, `single` streams one
chunk a tick.
"""

from __future__ import annotations

import asyncio
import re
import sys
from typing import Any

import orjson
import uvloop

from tests.benchmarks.processes import announce, pin

BURST_STREAM_CHUNKS = 3_000
BURST_CHUNKS = 32
SINGLE_STREAM_CHUNKS = 150
TICK_SECONDS = 0.008

_USAGE = {"prompt_tokens": 120, "completion_tokens": 80, "total_tokens": 200}
_HEAD = {"id": "chatcmpl-7f3a9c51d2e84b06", "created": 1_700_000_000, "model": "scripted"}
_LENGTH = re.compile(rb"content-length: *(\d+)", re.I)
_MODEL = re.compile(rb'"model": ?"(\w+)"')


def _event(choices: list[Any], **more: Any) -> bytes:
    return b"data: " + orjson.dumps({**_HEAD, "object": "chat.completion.chunk", "choices": choices, **more}) + b"\n\n"


def _delta(delta: dict[str, str], reason: str | None = None) -> bytes:
    return _event([{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}])


def _framed(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


FIRST = _delta({"role": "assistant", "content": ""})
WORD = _delta({"content": " word"})
END = _delta({}, "stop") + _event([], usage=_USAGE) + b"data: [DONE]\n\n"
CHUNKS_AROUND = 3  # FIRST, the finish reason and the usage; a client that asked for no usage gets one less

_MESSAGE = {"role": "assistant", "content": "All work and no play makes Jack a dull boy. " * 10}
_WHOLE_BODY = orjson.dumps(
    {
        **_HEAD,
        "object": "chat.completion",
        "choices": [{"index": 0, "message": _MESSAGE, "logprobs": None, "finish_reason": "stop"}],
        "usage": _USAGE,
    }
)
_WHOLE = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
    len(_WHOLE_BODY),
    _WHOLE_BODY,
)
_STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_LAST = _framed(END) + b"0\r\n\r\n"
_WORD_FRAME = _framed(WORD)
_BURST_FRAME = _framed(WORD * BURST_CHUNKS)


class Backend(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._loop = asyncio.get_running_loop()
        self._received = b""
        self._left = 0
        self._flowing = True

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator:
            return
        length = _LENGTH.search(head)
        if length is None or len(body) < int(length[1]):
            return
        self._received = b""
        model = _MODEL.search(body)
        script = model[1] if model else b""
        if script == b"whole":
            self._transport.write(_WHOLE)
            return
        self._transport.write(_STREAM + _framed(FIRST))
        if script == b"burst":
            self._left = BURST_STREAM_CHUNKS // BURST_CHUNKS
            self._burst()
        else:
            self._left = SINGLE_STREAM_CHUNKS
            self._tick()

    def pause_writing(self) -> None:
        self._flowing = False

    def resume_writing(self) -> None:
        self._flowing = True
        self._loop.call_soon(self._burst)

    def _burst(self) -> None:
        if not self._flowing or self._transport.is_closing():
            return
        if self._left > 0:
            self._left -= 1
            self._transport.write(_BURST_FRAME)
            self._loop.call_soon(self._burst)
        elif self._left == 0:
            self._left = -1
            self._transport.write(_LAST)

    def _tick(self) -> None:
        if self._transport.is_closing():
            return
        if self._left:
            self._left -= 1
            self._transport.write(_WORD_FRAME)
            self._loop.call_later(TICK_SECONDS, self._tick)
        else:
            self._transport.write(_LAST)


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Backend, "127.0.0.1", 0, backlog=512)
    announce(server.sockets[0].getsockname()[1])
    await server.serve_forever()


if __name__ == "__main__":
    pin(sys.argv[1])
    uvloop.run(serve())
