"""A scripted backend on loopback: answers what a test laid out and keeps what it was sent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass
class Seen:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)


@dataclass
class Answer:
    """`pieces` are written one by one, `apart` so that each can be a read of its own; `hold` keeps the answer open
    behind them until the client leaves."""

    body: Any = None
    status: int = 200
    content_type: str = "application/json"
    pieces: tuple[bytes, ...] = ()
    headers: dict[str, str] = field(default_factory=dict)
    delay_seconds: float = 0.0
    hold: bool = False
    cut: bool = False
    apart: bool = False


Script = Answer | Callable[[Seen], Answer | Awaitable[Answer]]


class Loopback:
    """`on` lays out answers for a route in order, the last one for ever; what has no script is a plain 404."""

    def __init__(self) -> None:
        self.url = ""
        self.seen: list[Seen] = []
        self.left = asyncio.Event()
        self._scripts: dict[tuple[str, str], list[Script]] = {}

    def on(self, method: str, path: str, *answers: Script) -> None:
        self._scripts[method, path] = list(answers)

    def paths(self) -> list[str]:
        return [f"{seen.method} {seen.path}" for seen in self.seen]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        seen = Seen(
            request.method,
            request.path,
            dict(request.query),
            {name.lower(): value for name, value in request.headers.items()},
            await request.read(),
        )
        self.seen.append(seen)
        scripts = self._scripts.get((request.method, request.path))
        if not scripts:
            other = any(path == request.path for _, path in self._scripts)
            return web.Response(status=405 if other else 404, text="404 page not found")
        script = scripts.pop(0) if len(scripts) > 1 else scripts[0]
        if not isinstance(script, Answer):
            made = script(seen)
            script = made if isinstance(made, Answer) else await made
        if script.delay_seconds:
            await asyncio.sleep(script.delay_seconds)
        if not script.pieces and not script.hold:
            body = script.body if isinstance(script.body, bytes) else json.dumps(script.body).encode()
            return web.Response(
                status=script.status, body=body, content_type=script.content_type, headers=script.headers
            )
        return await self._stream(request, script)

    async def _stream(self, request: web.Request, script: Answer) -> web.StreamResponse:
        response = web.StreamResponse(status=script.status, headers=script.headers)
        response.content_type = script.content_type
        await response.prepare(request)
        for piece in script.pieces:
            await response.write(piece)
            if script.apart:
                await asyncio.sleep(0)
        if script.cut and request.transport is not None:
            request.transport.abort()
        if script.hold:
            while request.transport is not None and not request.transport.is_closing():
                await asyncio.sleep(0.002)
            self.left.set()
        return response


@asynccontextmanager
async def loopback() -> AsyncIterator[Loopback]:
    server = Loopback()
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()
