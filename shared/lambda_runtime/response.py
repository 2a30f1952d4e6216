"""The ASGI side of one invocation: what the app receives, and what it sends as a streamed Lambda response."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, MutableMapping
from typing import Any

from shared.errors import GatewayError, InternalError
from shared.lambda_runtime.failure import function_failure
from shared.lambda_runtime.runtime_api import Invocation, ResponseStream, RuntimeApi
from shared.protocols.openai_errors import error_body
from shared.web.asgi import send_json
from shared.web.extensions import FAILURE
from shared.wire import dumps

_PRELUDE_END = bytes(8)
_MOST_PRELUDE_BYTES = 16 << 10  # API Gateway looks for the end of the prelude no further


class Response:
    """One answer, promised to nobody before its first byte of body: until then, `close` can still make it an error."""

    def __init__(self, api: RuntimeApi, invocation: Invocation, body: bytes, *, head_only: bool) -> None:
        self._api = api
        self._invocation = invocation
        self._request: list[bytes] = [body]
        self._head_only = head_only
        self._prelude: bytes | None = None
        self._stream: ResponseStream | None = None
        self._over = asyncio.Event()

    @property
    def ended(self) -> bool:
        return self._stream is not None and self._stream.ended

    @property
    def broken(self) -> bool:
        """The Runtime API has closed the response before its end."""
        return self._stream is not None and self._stream.refused

    async def receive(self) -> MutableMapping[str, Any]:
        """The whole body, and then nothing: Lambda has no disconnect. What waits is let go when all is over."""
        if self._request:
            return {"type": "http.request", "body": self._request.pop(), "more_body": False}
        await self._over.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """Raises OSError when the Runtime API has closed the response, RuntimeError for a message out of turn."""
        kind = message["type"]
        if kind == "http.response.start" and self._prelude is None:
            self._prelude = prelude(message["status"], message.get("headers", ()))
        elif kind == "http.response.body" and self._prelude is not None and not self.ended:
            body = b"" if self._head_only else message.get("body", b"")
            await self._write(self._prelude, body, last=not message.get("more_body", False))
        elif kind == FAILURE and self._stream is not None and not self.ended:
            await self._stream.fail(function_failure(message["error_type"], message["message"]))
        else:
            raise RuntimeError(f"unexpected ASGI message {kind!r}")

    async def _write(self, first: bytes, body: bytes, *, last: bool) -> None:
        if self._stream is None:
            self._stream = await self._api.respond(self._invocation, self._over.set)
            await self._stream.write(first, body, last=last)
        elif body or last:
            await self._stream.write(body, last=last)

    async def close(self, error: BaseException | None) -> None:
        """Bring the response to its end after the app has; returns when the Runtime API has taken it whole.

        `error` is what the app ended with: as a whole answer when nothing was sent, else in the error trailers.
        """
        self._over.set()
        if error is not None and not self.ended and not self.broken:
            await self._end_with(error)
        if self._stream is not None and not self.broken:
            await self._stream.accepted()

    async def _end_with(self, error: BaseException) -> None:
        if self._stream is None:
            shown = error if isinstance(error, GatewayError) else InternalError("the gateway failed; its log names why")
            self._prelude = None
            await send_json(self.send, shown.status, dumps(error_body(shown)), [])
        else:
            # never the exception's own words, which may quote the request
            await self._stream.fail(function_failure(type(error).__name__, "the answer broke off; the log names why"))

    def abandon(self) -> None:
        """Let everything go, whatever state it is in."""
        self._over.set()
        if self._stream is not None:
            self._stream.close()


def prelude(status: int, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Status, headers and cookies as API Gateway wants them before the body. Raises ValueError beyond 16 KiB."""
    cookies: list[str] = []
    values: dict[str, list[str]] = {}
    for name, value in headers:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        if key == "set-cookie":
            cookies.append(text)
        else:
            values.setdefault(key, []).append(text)
    whole: dict[str, Any] = {
        "statusCode": status,
        "headers": {name: several[0] for name, several in values.items() if len(several) == 1},
    }
    if several := {name: several for name, several in values.items() if len(several) > 1}:
        whole["multiValueHeaders"] = several
    if cookies:
        whole["cookies"] = cookies
    encoded = dumps(whole) + _PRELUDE_END
    if len(encoded) > _MOST_PRELUDE_BYTES:
        raise ValueError("the response's headers are larger than API Gateway reads")
    return encoded
