"""The client of the Lambda Runtime API, on raw asyncio streams: no HTTP library sends request trailers.

The protocol: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html and runtimes-custom.html, and for
streaming what AWS's Node.js runtime client sends.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import quote

from shared.lambda_runtime.failure import Failure
from shared.lambda_runtime.http1 import Answer, Malformed, chunk, head, last_chunk, read_answer

log = logging.getLogger(__name__)

_ROOT = "/2018-06-01/runtime"
_USER_AGENT = ("User-Agent", "serverless-proxy-runtime")
_JSON = ("Content-Type", "application/json")
_STREAMED = (
    ("Content-Type", "application/vnd.awslambda.http-integration-response"),
    ("Lambda-Runtime-Function-Response-Mode", "streaming"),
    ("Transfer-Encoding", "chunked"),
    ("Trailer", "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body"),
)
_TRIES = 3
_LONGEST_SECONDS = 900


class RuntimeApiGone(Exception):
    """The Runtime API cannot be reached or does not speak its protocol; the process must end."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """What `/next` says. The names that Lambda's context object has are kept, for apps read it as `aws.context`."""

    aws_request_id: str
    deadline_ms: int
    event: bytes
    invoked_function_arn: str = ""
    trace_id: str = ""
    invocation_id: str = ""  # newer than the request id and to be sent back

    def get_remaining_time_in_millis(self) -> int:
        return max(0, self.deadline_ms - round(time.time() * 1_000))


class RuntimeApi:
    """One poller's way to the API: a kept connection for `/next`, a fresh one for everything else."""

    def __init__(self, address: str) -> None:
        """`address`: host:port, as AWS_LAMBDA_RUNTIME_API has it."""
        self._address = address
        self._host, _, self._port = address.rpartition(":")
        self._kept: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def next(self) -> Invocation:
        """Wait for the next invocation, for ever; raises RuntimeApiGone when the API ends the connection thrice."""
        for _ in range(_TRIES):
            try:
                answer = await self._ask_next()
            except (OSError, EOFError) as error:
                self.close()
                log.warning("the Runtime API has closed the connection (%s)", type(error).__name__)
                continue
            except Malformed as error:
                raise RuntimeApiGone(f"/next: {error}") from error
            if answer.status != 200:
                raise RuntimeApiGone(f"/next was answered with {answer.status}")
            return _invocation(answer)
        raise RuntimeApiGone("no invocation to be had")

    async def _ask_next(self) -> Answer:
        reader, writer = self._kept = self._kept or await self._connect()
        writer.write(self._head("GET", "/invocation/next", ()))
        return await read_answer(reader)

    async def respond(self, invocation: Invocation, on_refusal: Callable[[], None]) -> ResponseStream:
        """Open the streamed response; nothing is sent before its first chunk.

        `on_refusal` is called when the API answers, or leaves, before the response has ended.
        """
        reader, writer = await self._connect()
        path = _invocation_path(invocation, "response")
        request_head = self._head("POST", path, (*_STREAMED, *_echo(invocation)))
        return ResponseStream(reader, writer, request_head, on_refusal)

    async def acknowledge(self, invocation: Invocation) -> None:
        """Answer an event that is nobody's request with `null`."""
        answer = await self._post(_invocation_path(invocation, "response"), b"null", _echo(invocation))
        _expect_accepted(answer, "an acknowledgement")

    async def report(self, invocation: Invocation, failure: Failure) -> None:
        """The invocation failed before its response was begun."""
        path = _invocation_path(invocation, "error")
        _expect_accepted(await self._post_failure(path, failure, _echo(invocation)), "an error")

    async def report_init(self, failure: Failure) -> None:
        _expect_accepted(await self._post_failure("/init/error", failure, ()), "an init error")

    async def wait_for_restore(self) -> None:
        """SnapStart: the snapshot is taken in here, and this returns in each environment restored from it."""
        answer = await self._exchange(self._head("GET", "/restore/next", ()))
        if answer.status != 200:
            raise RuntimeApiGone(f"/restore/next was answered with {answer.status}")

    def close(self) -> None:
        if self._kept is not None:
            self._kept[1].close()
            self._kept = None

    async def _post_failure(self, path: str, failure: Failure, headers: Iterable[tuple[str, str]]) -> Answer:
        return await self._post(path, failure.body(), (("Lambda-Runtime-Function-Error-Type", failure.type), *headers))

    async def _post(self, path: str, body: bytes, headers: Iterable[tuple[str, str]]) -> Answer:
        return await self._exchange(
            self._head("POST", path, (_JSON, ("Content-Length", str(len(body))), *headers)) + body
        )

    async def _exchange(self, request: bytes) -> Answer:
        reader, writer = await self._connect()
        try:
            writer.write(request)
            return await read_answer(reader)
        finally:
            writer.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self._host, int(self._port))

    def _head(self, method: str, path: str, headers: Iterable[tuple[str, str]]) -> bytes:
        return head(method, _ROOT + path, self._address, (_USER_AGENT, *headers))


class ResponseStream:
    """A response on its way: each `write` waits for the API to take it (drain), which is the app's back-pressure.

    The connection is read all the while, so that an API which closes it early is known at once.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        request_head: bytes,
        on_refusal: Callable[[], None],
    ) -> None:
        self._writer = writer
        self._unsent = request_head
        self._on_refusal = on_refusal
        self.ended = False
        self.refused = False
        self._answer = asyncio.create_task(read_answer(reader))
        self._answer.add_done_callback(self._note_answer)

    def _note_answer(self, _: asyncio.Task[Answer]) -> None:
        if not self.ended:
            self.refused = True
            self._on_refusal()

    async def write(self, *pieces: bytes, last: bool = False) -> None:
        """Each piece that is not empty as a chunk; raises OSError when the API has closed the connection."""
        framed = b"".join([chunk(piece) for piece in pieces if piece])
        await self._send(framed + last_chunk() if last else framed, last=last)

    async def fail(self, failure: Failure) -> None:
        """End the response with the error trailers."""
        await self._send(last_chunk(failure.trailers()), last=True)

    async def _send(self, framed: bytes, *, last: bool) -> None:
        if self.refused:
            raise ConnectionResetError("the Runtime API has closed the response")
        self.ended = last
        self._writer.write(self._unsent + framed)
        self._unsent = b""
        await self._writer.drain()

    async def accepted(self) -> None:
        """Wait until the API has taken the whole response. Raises OSError or EOFError when it has not."""
        _expect_accepted(await asyncio.shield(self._answer), "a response")

    def close(self) -> None:
        """End the connection; a response that has not ended is seen as broken off by the API."""
        if self.ended and self._answer.done():
            self._writer.close()
        else:
            self._writer.transport.abort()
        if not self._answer.cancel() and not self._answer.cancelled():
            self._answer.exception()  # looked at, or asyncio logs it as forgotten


def _invocation(answer: Answer) -> Invocation:
    headers = answer.headers
    try:
        request_id = headers["lambda-runtime-aws-request-id"]
    except KeyError:
        raise RuntimeApiGone("/next names no request id") from None
    deadline_ms = headers.get("lambda-runtime-deadline-ms", "")
    return Invocation(
        aws_request_id=request_id,
        deadline_ms=int(deadline_ms) if deadline_ms.isdigit() else round((time.time() + _LONGEST_SECONDS) * 1_000),
        event=answer.body,
        invoked_function_arn=headers.get("lambda-runtime-invoked-function-arn", ""),
        trace_id=headers.get("lambda-runtime-trace-id", ""),
        invocation_id=headers.get("lambda-runtime-invocation-id", ""),
    )


def _invocation_path(invocation: Invocation, end: str) -> str:
    return f"/invocation/{quote(invocation.aws_request_id, safe='')}/{end}"


def _echo(invocation: Invocation) -> tuple[tuple[str, str], ...]:
    return (("Lambda-Runtime-Invocation-Id", invocation.invocation_id),) if invocation.invocation_id else ()


def _expect_accepted(answer: Answer, what: str) -> None:
    if answer.status != 202:
        log.error("the Runtime API answered %s with %d", what, answer.status)
