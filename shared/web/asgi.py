"""The little of ASGI that our own responses need."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from typing import Any, TypeAlias

from shared.errors import BodyTooLarge, InvalidRequest

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers: TypeAlias = list[tuple[bytes, bytes]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

_BY_NAME = "serverless_proxy.headers"
_UNWATCHED_SECONDS = 0.1  # a client that leaves sooner is missed then


def header(scope: Scope, name: bytes) -> str:
    """The first header of that lower-case name, or an empty string."""
    known = scope.get(_BY_NAME)
    if known is None:
        known = scope[_BY_NAME] = dict(reversed(scope["headers"]))  # the first of a name is the last to be put in
    value: bytes = known.get(name, b"")
    return value.decode("latin-1")


def headers(scope: Scope, name: bytes) -> list[str]:
    """All headers of that lower-case name."""
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]


async def read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """The request's body; raises BodyTooLarge as soon as it is known to be longer than `limit` bytes."""
    claimed = header(scope, b"content-length")
    if claimed.isdigit() and int(claimed) > limit:
        raise _too_large(limit)
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise InvalidRequest("the client left before its request was complete")
        piece = message.get("body", b"")
        size += len(piece)
        if size > limit:
            raise _too_large(limit)
        pieces.append(piece)
        if not message.get("more_body"):
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"the request body is larger than {limit} bytes; send less, or link to large files")


async def send_json(send: Send, status: int, body: bytes, headers: Headers) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        *headers,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Later:
    """Work in a task of its own that begins after `seconds`, unless it is cancelled before: most answers are over by
    then, and a timer costs a tenth of a task. `done` is called when the work has ended uncancelled."""

    def __init__(
        self, seconds: float, work: Callable[[], Coroutine[Any, Any, None]], done: Callable[[], None] | None = None
    ) -> None:
        self._work = work
        self._done = done
        self._task: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(seconds, self._begin)

    def cancel(self) -> None:
        self._timer.cancel()
        self._done = None
        if self._task is not None:
            self._task.cancel()

    def _begin(self) -> None:
        self._task = asyncio.create_task(self._work())
        self._task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if self._done is not None:
            self._done()


async def while_client_stays(work: Coroutine[Any, Any, None], receive: Receive) -> bool:
    """Do the work and cancel it when the client leaves; whether it came to its end.

    The work is done in the caller's task: a task of its own costs a small request a tenth of its time.
    """
    worker = asyncio.current_task()
    assert worker is not None  # noqa: S101 - a coroutine runs in a task
    left = False

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    def leave() -> None:
        nonlocal left
        left = True
        worker.cancel()

    watching = Later(_UNWATCHED_SECONDS, watch, leave)
    try:
        await work
    except asyncio.CancelledError:
        if left and worker.uncancel() == 0:
            return False
        raise
    finally:
        watching.cancel()
    return True
