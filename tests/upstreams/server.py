"""A scripted HTTP/1.1 backend on loopback, in a thread of its own: it says what a test laid out and keeps what it was
sent. Raw sockets, because a web framework would mend the very faults that a script wants to show."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

from tests.upstreams.script import CUT, Gate, Pause, Reply, Script, Seen, Step

_PATIENCE_SECONDS = 20.0
Default = Callable[[Seen], Reply]


class Left(Exception):
    """The gateway has closed the connection."""


class Upstream:
    """`on` lays out the answers for an actual model, in order and the last one for ever; a request for any other is
    answered by `default`. Everything may be called from the test's thread."""

    def __init__(self, default: Default) -> None:
        self.url = ""
        self.seen: list[Seen] = []
        self._default = default
        self._scripts: dict[str, list[Script]] = {}
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, name="upstream", daemon=True)

    def __enter__(self) -> Upstream:
        self._thread.start()
        assert self._ready.wait(_PATIENCE_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_PATIENCE_SECONDS)

    def on(self, model: str, *scripts: Script) -> None:
        self._scripts[model] = list(scripts)

    def reset(self) -> None:
        self._scripts.clear()
        self.seen.clear()

    @property
    def last(self) -> Seen:
        return self.seen[-1]

    @property
    def bodies(self) -> list[Any]:
        return [seen.body for seen in self.seen]

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=64 * 1024)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        await self._stop.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = self._loop.create_task(self._converse(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (seen := await _read_request(reader)) is not None:
                self.seen.append(seen)
                try:
                    await _answer(self._choose(seen), seen, reader, writer)
                except (Left, ConnectionError):
                    seen.left.set()
                    return
                finally:
                    seen.over.set()
                if writer.is_closing():
                    return
        except ConnectionError:
            return
        finally:
            writer.close()

    def _choose(self, seen: Seen) -> Reply:
        scripts = self._scripts.get(seen.model)
        if not scripts:
            return self._default(seen)
        script = scripts.pop(0) if len(scripts) > 1 else scripts[0]
        return script if isinstance(script, Reply) else script(seen)


async def _read_request(reader: asyncio.StreamReader) -> Seen | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ")
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)
    }
    return Seen(method, path, headers, await reader.readexactly(int(headers.get("content-length", "0"))))


async def _answer(reply: Reply, seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for step in reply.before:
        if await _play(step, reader, writer):
            return
    chunked = "content-length" not in reply.headers
    framing = {"transfer-encoding": "chunked"} if chunked else {}
    headers = {"content-type": reply.content_type, **framing, **reply.headers}
    lines = [
        f"HTTP/1.1 {reply.status} {_phrase(reply.status)}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
    for step in reply.steps:
        if isinstance(step, bytes):
            if step:
                writer.write(b"%x\r\n%b\r\n" % (len(step), step) if chunked else step)
                await writer.drain()
                seen.written += len(step)
        elif await _play(step, reader, writer):
            return
    if chunked:
        writer.write(b"0\r\n\r\n")
    await writer.drain()


async def _play(step: Step, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Whether the answer ends with this step."""
    match step:
        case Pause(seconds):
            await _while_there(asyncio.sleep(seconds), reader)
        case Gate():
            step.reached.set()
            await _while_there(_opened(step), reader)
        case _ if step is CUT:
            writer.transport.abort()
            return True
        case _:
            await _while_there(asyncio.sleep(_PATIENCE_SECONDS), reader)
    return False


async def _opened(gate: Gate) -> None:
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while not gate.is_open:
            await asyncio.sleep(0.001)


async def _while_there(work: Coroutine[Any, Any, None], reader: asyncio.StreamReader) -> None:
    """Do `work` for as long as the gateway keeps the connection; raises Left."""
    doing = asyncio.ensure_future(work)
    watch = asyncio.ensure_future(reader.read(1))
    try:
        await asyncio.wait((doing, watch), return_when=asyncio.FIRST_COMPLETED)
        if not doing.done():
            raise Left
        doing.result()
    finally:
        for task in (doing, watch):
            task.cancel()
        await asyncio.gather(doing, watch, return_exceptions=True)


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Unknown"
