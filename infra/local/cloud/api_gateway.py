"""API Gateway's REST API on loopback: the template's resources, methods and integrations, and the platform's limits.

Not emulated: what the template does not use (usage plans, models, mapping templates, binary media types).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any
from urllib.parse import unquote

from infra.local.cloud.answers import (
    BROKEN,
    FORBIDDEN,
    NO_ROUTE,
    THROTTLED,
    TIMED_OUT,
    TOO_LARGE,
    UNAUTHORIZED,
    GatewayError,
    Head,
    Malformed,
    buffered_answer,
    own_answer,
    split_prelude,
)
from infra.local.cloud.deployment import Deployment
from infra.local.cloud.invocation import Failed, Result, Streamed
from infra.local.cloud.lambda_service import THROTTLED as LAMBDA_THROTTLED
from infra.local.cloud.limits import Limits
from infra.local.cloud.proxy_event import Matched, proxy_event
from infra.local.cloud.template import Method
from shared.errors import BodyTooLarge
from shared.web.asgi import Receive, Scope, Send, header, read_body
from shared.wire import dumps

log = logging.getLogger(__name__)

Invoke = Callable[[str, bytes], Awaitable[Result]]
Authorize = Callable[[str], bool]


class ApiGateway:
    """An ASGI app. `invoke` calls a function by its logical id, `authorize` judges the token of a guarded method.

    A client that leaves is not noticed by the function: its answer is taken to the end, and thrown away.
    """

    def __init__(self, deployment: Deployment, invoke: Invoke, authorize: Authorize, limits: Limits) -> None:
        self._deployment = deployment
        self._invoke = invoke
        self._authorize = authorize
        self._limits = limits
        self._resources = _Tree(method for method in deployment.methods)
        self._tokens = float(deployment.burst)
        self._filled_at = time.monotonic()
        self._draining: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = time.monotonic()
        answer = _Answer(send)
        try:
            await self._serve(scope, receive, answer)
        except _Refused as refused:
            await answer.whole(*own_answer(refused.error, self._deployment.gateway_responses))
        finally:
            took = round((time.monotonic() - begun) * 1_000)
            log.info("%s %s %d %d ms", scope["method"], scope["path"], answer.status, took)

    async def _serve(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        path = _without_stage(scope["raw_path"].decode("latin-1"), self._deployment.stage)
        if path is None:
            raise _Refused(FORBIDDEN)
        method, matched = self._resources.find(scope["method"], path)
        if not self._let_through():
            raise _Refused(THROTTLED)
        if method.function is None:
            await answer.whole(*_mocked(method))
            return
        if method.guarded and not self._authorize(header(scope, b"authorization")):
            raise _Refused(UNAUTHORIZED)
        try:
            body = await read_body(scope, receive, self._limits.request_bytes)
        except BodyTooLarge:
            raise _Refused(TOO_LARGE) from None
        event = dumps(proxy_event(scope, self._deployment.stage, path, matched, body))
        if len(event) > self._limits.event_bytes:
            raise _Refused(TOO_LARGE)
        await self._relay(method, method.function, event, answer)

    def _let_through(self) -> bool:
        """A token bucket, as the stage's throttle is one."""
        now = time.monotonic()
        gained = (now - self._filled_at) * self._deployment.rate
        self._tokens, self._filled_at = min(float(self._deployment.burst), self._tokens + gained), now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    async def _relay(self, method: Method, function: str, event: bytes, answer: _Answer) -> None:
        ends_at = time.monotonic() + method.timeout_seconds
        invoked = asyncio.ensure_future(self._invoke(function, event))
        try:
            async with asyncio.timeout(method.timeout_seconds):
                result = await asyncio.shield(invoked)
        except TimeoutError:
            self._drain(_finish(invoked))
            raise _Refused(TIMED_OUT) from None
        if isinstance(result, Failed):
            log.warning("%s: %s %s", method.path, result.kind, result.message)
            raise _Refused(THROTTLED if result.kind == LAMBDA_THROTTLED else BROKEN)
        if isinstance(result, Streamed) != method.streams:
            raise _Refused(BROKEN)  # documented: a plain answer to a streaming integration is an error
        if isinstance(result, Streamed):
            await self._relay_stream(method, result, answer, ends_at)
            return
        try:
            await answer.whole(*buffered_answer(result.payload))
        except Malformed as problem:
            log.warning("%s: a malformed answer: %s", method.path, problem)
            raise _Refused(BROKEN) from None

    async def _relay_stream(self, method: Method, result: Streamed, answer: _Answer, ends_at: float) -> None:
        try:
            await self._stream(result, answer, ends_at)
        except TimeoutError:
            log.warning("%s: the stream was cut: too long, or silent for too long", method.path)
            raise _Cut from None
        finally:
            self._drain(_exhaust(result))
        if result.failure is not None:
            log.warning("%s: the stream failed: %s %s", method.path, result.failure.kind, result.failure.message)

    async def _stream(self, stream: Streamed, answer: _Answer, ends_at: float) -> None:
        begun = b""
        while (found := _split(begun, self._limits.prelude_bytes)) is None:
            chunk = await self._chunk(stream, ends_at)
            if chunk is None:
                raise _Refused(BROKEN)
            begun += chunk
        head, first = found
        await answer.start(head)
        pace = _Pace(self._limits)
        if first:
            await answer.send(first)
            await pace.after(len(first))
        while (chunk := await self._chunk(stream, ends_at)) is not None:
            await answer.send(chunk)
            await pace.after(len(chunk))
        await answer.end()

    async def _chunk(self, stream: Streamed, ends_at: float) -> bytes | None:
        async with asyncio.timeout(min(self._limits.idle_seconds, ends_at - time.monotonic())):
            return await stream.next()

    def _drain(self, rest: Any) -> None:
        task = asyncio.create_task(rest)
        self._draining.add(task)
        task.add_done_callback(self._draining.discard)


class _Refused(Exception):
    def __init__(self, error: GatewayError) -> None:
        super().__init__(error.message)
        self.error = error


def _split(begun: bytes, most: int) -> tuple[Head, bytes] | None:
    try:
        found = split_prelude(begun)
    except Malformed:
        raise _Refused(BROKEN._replace(status=500)) from None
    if found is None and len(begun) > most:
        raise _Refused(BROKEN._replace(status=500))
    return found


async def _exhaust(stream: Streamed) -> None:
    """Take what is left: the function goes on, and would wait for room for ever."""
    while await stream.next() is not None:
        pass


async def _finish(invoked: asyncio.Future[Result]) -> None:
    result = await invoked
    if isinstance(result, Streamed):
        await _exhaust(result)


def _without_stage(path: str, stage: str) -> str | None:
    return path.removeprefix(f"/{stage}") or "/" if path == f"/{stage}" or path.startswith(f"/{stage}/") else None


def _mocked(method: Method) -> tuple[Head, bytes]:
    """The integration's first answer, whose headers and body are constants."""
    found = method.integration["IntegrationResponses"][0]
    headers = [
        (name.removeprefix("method.response.header.").lower().encode(), value.strip("'").encode())
        for name, value in found.get("ResponseParameters", {}).items()
    ]
    body = found.get("ResponseTemplates", {}).get("application/json", "")
    return Head(int(found["StatusCode"]), headers), body.encode()


class _Tree:
    """Paths to methods. A static segment is preferred to a parameter, and that to a greedy one."""

    def __init__(self, methods: Iterable[Method]) -> None:
        self._root: dict[str, Any] = {}
        for method in methods:
            node = self._root
            for part in filter(None, method.path.split("/")):
                node = node.setdefault(part, {})
            node.setdefault("", {})[method.verb] = method

    def find(self, verb: str, path: str) -> tuple[Method, Matched]:
        """Raises _Refused."""
        found = self._match(self._root, [part for part in path.split("/")[1:] if part], {})
        if found is None:
            raise _Refused(NO_ROUTE)
        methods, parameters = found
        method = methods.get(verb) or methods.get("ANY")
        if method is None:
            raise _Refused(NO_ROUTE)
        return method, Matched(method.path, parameters)

    def _match(
        self, node: dict[str, Any], parts: list[str], parameters: dict[str, str]
    ) -> tuple[dict[str, Method], dict[str, str]] | None:
        if not parts:
            return (node[""], parameters) if "" in node else None
        first, *rest = parts
        if first in node and (found := self._match(node[first], rest, parameters)):
            return found
        for name, child in node.items():
            if name.startswith("{") and not name.endswith("+}"):
                if found := self._match(child, rest, {**parameters, name[1:-1]: unquote(first)}):
                    return found
            elif name.endswith("+}"):
                whole = "/".join(map(unquote, parts))
                return self._match(child, [], {**parameters, name[1:-2]: whole})
        return None


class _Answer:
    """The answer to the client. What a client that has left would have got is thrown away."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0

    async def start(self, head: Head) -> None:
        self.status = head.status
        await self._give({"type": "http.response.start", "status": head.status, "headers": head.headers})

    async def send(self, chunk: bytes) -> None:
        await self._give({"type": "http.response.body", "body": chunk, "more_body": True})

    async def end(self) -> None:
        await self._give({"type": "http.response.body", "body": b"", "more_body": False})

    async def whole(self, head: Head, body: bytes) -> None:
        length = (b"content-length", str(len(body)).encode())
        await self.start(Head(head.status, [*head.headers, length]))
        await self._give({"type": "http.response.body", "body": body, "more_body": False})

    async def _give(self, message: dict[str, Any]) -> None:
        with suppress(OSError):
            await self._send(message)


class _Cut(Exception):
    """uvicorn closes the connection of an app that fails within its answer."""


class _Pace:
    """A stream's first bytes are free, the others come at the platform's rate."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._sent = 0
        self._since: float | None = None

    async def after(self, size: int) -> None:
        self._sent += size
        held = self._sent - self._limits.free_bytes
        if held <= 0:
            return
        now = time.monotonic()
        self._since = self._since or now
        await asyncio.sleep(max(0.0, self._since + held / self._limits.bytes_a_second - now))
