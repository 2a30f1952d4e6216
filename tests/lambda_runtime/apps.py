"""Apps and messages that the tests share; a runtime in a process of its own loads them by name."""

from __future__ import annotations

import asyncio
from typing import Any

START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]}


def body(data: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


async def hello(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"Content-Type", b"text/plain")]})
    await send(body(b"hel"))
    await send(body(b"lo", more=False))


async def hangs(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    await send(body(b"half"))
    await asyncio.sleep(60)


async def breaks(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    await send(body(b"half"))
    raise ValueError
