"""Watches one upstream attempt and turns what it saw into one record."""

from __future__ import annotations

import time
from typing import NamedTuple

from shared.chat.events import (
    Batch,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from shared.chat.request import ChatRequest, EmbeddingRequest, Part, TextPart, ToolCallPart, ToolResultPart
from shared.chat.usage import Usage
from shared.errors import GatewayError, UpstreamTimedOut
from shared.gateway.records import Outcome, Record, Recorder, RequestType
from shared.gateway.routing import Stop
from shared.wire import dumps

CLIENT_CLOSED = 499
_CHARS_PER_TOKEN = 4
_IMAGE_TOKENS = 800


class Caller(NamedTuple):
    """Who asks, as far as the ledger may know, and until when an answer is of use."""

    request_id: str
    user_agent: str = ""
    deadline: float | None = None  # on the monotonic clock: when the platform's patience ends
    key_id: str = ""  # the client key's, when one was shown


class Meter:
    """Opened when an attempt begins, closed exactly once in whichever way it ends; closing writes the record."""

    __slots__ = (
        "_attempt", "_caller", "_chars", "_closed", "_first", "_recorder", "_request", "_started", "_stop", "_time_ms",
        "_virtual_model", "usage",
    )  # fmt: skip

    def __init__(
        self,
        recorder: Recorder,
        request: ChatRequest | EmbeddingRequest,
        stop: Stop,
        caller: Caller,
        attempt: int,
    ) -> None:
        self._recorder = recorder
        self._request = request
        self._virtual_model = request.model
        self._stop = stop
        self._caller = caller
        self._attempt = attempt
        self._started = time.monotonic()
        self._time_ms = time.time_ns() // 1_000_000
        self._first: float | None = None
        self._chars = 0
        self._closed = False
        self.usage: Usage | None = None

    def see(self, batch: Batch) -> None:
        """Note what has arrived."""
        for frame in batch:
            for event in frame.events:
                kind = type(event)
                if kind is TextDelta or kind is ReasoningDelta or kind is RefusalDelta:
                    self._chars += len(event.text)  # type: ignore[union-attr]
                elif kind is ToolCallDelta:
                    self._chars += len(event.arguments)  # type: ignore[union-attr]
                elif kind is ToolCallStarted:
                    self._chars += len(event.name)  # type: ignore[union-attr]
                elif kind is UsageReported:
                    self.usage = event.usage  # type: ignore[union-attr]
                    continue
                else:
                    continue
                if self._first is None:
                    self._first = time.monotonic()

    def succeed(self) -> Usage:
        """The answer is complete; returns its usage, estimated where the backend reported none."""
        usage = self.usage or self._estimate()
        self._close("success", 200, None, usage)
        return usage

    def fail(self, error: GatewayError) -> None:
        """The attempt failed: truncated when something had arrived already."""
        begun = self._first is not None
        usage = self.usage or (self._estimate(partial=True) if begun else Usage())
        self._close("truncated" if begun else "failed", error.status, error.code, usage)

    def abort(self) -> None:
        """The client has left, or the deadline has come; does nothing when the attempt is closed already."""
        if self._closed:
            return
        deadline = self._caller.deadline
        if deadline is not None and time.monotonic() >= deadline:
            self.fail(UpstreamTimedOut("the deadline of the platform came first"))
        else:
            self._close("aborted", CLIENT_CLOSED, "client_closed_request", self.usage or self._estimate(partial=True))

    def _close(self, outcome: Outcome, status: int, code: str | None, usage: Usage) -> None:
        if self._closed:
            return
        self._closed = True
        request, stop = self._request, self._stop
        now = time.monotonic()
        first = self._first
        self._recorder.record(
            Record(
                time_ms=self._time_ms,
                request_id=self._caller.request_id,
                attempt=self._attempt,
                virtual_model=self._virtual_model,
                actual_model=stop.actual_model,
                endpoint_id=stop.endpoint.id,
                endpoint_name=stop.endpoint.name,
                endpoint_type=stop.endpoint.type,
                protocol=request.native.wire,
                request_type=_request_type(request),
                stream=isinstance(request, ChatRequest) and request.stream,
                status=status,
                outcome=outcome,
                error_code=code,
                input_tokens=usage.input_tokens,
                output_tokens=usage.output_tokens,
                cache_read_tokens=usage.cache_read_tokens,
                cache_write_5m_tokens=usage.cache_write_5m_tokens,
                cache_write_1h_tokens=usage.cache_write_1h_tokens,
                reasoning_tokens=usage.reasoning_tokens,
                usage_source=usage.source,
                time_to_first_token_ms=None if first is None else round((first - self._started) * 1_000),
                total_ms=round((now - self._started) * 1_000),
                user_agent=self._caller.user_agent[:200],
                key_id=self._caller.key_id,
            )
        )

    def _estimate(self, *, partial: bool = False) -> Usage:
        return Usage(
            input_tokens=estimate_input(self._request),
            output_tokens=-(-self._chars // _CHARS_PER_TOKEN),
            source="partial" if partial else "estimated",
        )


def _request_type(request: ChatRequest | EmbeddingRequest) -> RequestType:
    if isinstance(request, EmbeddingRequest):
        return "embedding"
    return "completion" if request.prompts else "chat"


def estimate_input(request: ChatRequest | EmbeddingRequest) -> int:
    """Roughly how many tokens the request holds: four characters each, a fixed count for an image."""
    inputs = request.inputs if isinstance(request, EmbeddingRequest) else request.prompts
    tokens = sum(len(value) for value in inputs if not isinstance(value, str))
    chars = sum(len(value) for value in inputs if isinstance(value, str))
    if isinstance(request, ChatRequest) and not inputs:
        for message in request.messages:
            for part in message.parts:
                chars += _size(part)
        if request.tools:
            chars += len(dumps([(tool.name, tool.description, tool.parameters) for tool in request.tools]))
    return tokens + -(-chars // _CHARS_PER_TOKEN)


def _size(part: Part) -> int:
    match part:
        case TextPart():
            return len(part.text)
        case ToolCallPart():
            return len(part.name) + len(part.arguments)
        case ToolResultPart():
            return sum(map(_size, part.content))
        case _:
            return len(getattr(part, "text", None) or "") or _IMAGE_TOKENS * _CHARS_PER_TOKEN
