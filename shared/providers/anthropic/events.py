"""Messages stream events, and whole Messages bodies -> canonical frames."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from shared.chat.events import (
    Event,
    Finished,
    FinishReason,
    Frame,
    ReasoningDelta,
    RefusalDelta,
    Started,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from shared.chat.request import Native
from shared.chat.usage import Usage, count
from shared.errors import UpstreamMalformed, UpstreamRefused
from shared.providers.anthropic.request import WIRE
from shared.providers.http import clean, parse_object
from shared.providers.sse import ServerEvent
from shared.wire import JsonObject, dumps

FINISH_REASONS: Mapping[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
    "pause_turn": "stop",  # a server tool needs another turn; this gateway declares none
}
ERROR_STATUSES: Mapping[str, int] = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}


class _Call(NamedTuple):
    """An open tool_use block: its ordinal (None: its input is the answer's text), and the input it began with."""

    ordinal: int | None
    input: JsonObject


class MessageDecoder:
    """Decodes one answer. `native` keeps each message of the backend on its frame, for a client of the same wire.

    `names` and `answer_tool` are those of the Outbound request.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        names: Mapping[str, str] | None = None,
        answer_tool: str | None = None,
        native: bool = False,
    ) -> None:
        self.complete = False
        self._endpoint = endpoint
        self._names = names or {}
        self._answer_tool = answer_tool
        self._native = native
        self._usage: JsonObject = {}
        self._calls = 0
        self._open: dict[int, _Call] = {}  # by block index
        self._silent: set[int] = set()  # the open calls of whose input nothing has come yet
        self._finished = False

    def feed(self, events: list[ServerEvent]) -> list[Frame]:
        """Frames of these events; raises UpstreamRefused for an `error` event, UpstreamMalformed for rubbish."""
        return [frame for event in events if (frame := self.decode(event)) is not None]

    def decode(self, event: ServerEvent) -> Frame | None:
        """The frame of one event, None for what says nothing to anyone (`ping`)."""
        if event.data == b"[DONE]" or not event.data:  # not of this wire, but some of its imitators send it
            return None
        payload = parse_object(event.data, self._endpoint)
        kind = payload.get("type") or event.event or ("error" if "error" in payload else "")
        if kind == "ping":
            return None
        found = self._guarded(kind, payload)
        native = Native(WIRE, payload) if self._native else None
        return Frame(found, native) if found or native else None

    def whole(self, body: JsonObject) -> list[Frame]:
        """The one frame of a body that came in one piece; its `native` is the whole message (`"type": "message"`)."""
        if body.get("type") == "error" or "content" not in body:
            self._guarded("error" if "error" in body else "message", body)
        found = [*self._guarded("message_start", {"message": {**body, "usage": {}}})]
        for index, block in enumerate(body["content"] or ()):
            found += self._guarded("content_block_start", {"index": index, "content_block": block})
            found += self._guarded("content_block_stop", {"index": index})
        found += self._guarded("message_delta", {"delta": body, "usage": body.get("usage")})
        found += self._guarded("message_stop", body)
        return [Frame(tuple(found), Native(WIRE, body) if self._native else None)]

    def _guarded(self, kind: str, payload: JsonObject) -> tuple[Event, ...]:
        try:
            return self._events(kind, payload)
        except (KeyError, TypeError, AttributeError, ValueError) as wrong:
            raise UpstreamMalformed(
                f"endpoint '{self._endpoint}' sent a {clean(str(kind))[:40]} event that is not one"
            ) from wrong

    def _events(self, kind: str, payload: JsonObject) -> tuple[Event, ...]:
        match kind:
            case "content_block_delta":
                return self._delta(payload.get("index", 0), payload["delta"])
            case "message_start":
                message = payload["message"]
                return (Started(message.get("id"), message.get("model")), *self._count(message.get("usage")))
            case "content_block_start":
                return self._begin(payload.get("index", 0), payload["content_block"])
            case "content_block_stop":
                return self._end(payload.get("index", 0))
            case "message_delta":
                counted = self._count(payload.get("usage"))
                return (*counted, *self._finish(payload["delta"]))
            case "message_stop":
                self.complete = True
                return () if self._finished else self._finish({"stop_reason": "end_turn"})
            case "error":
                raise self._refusal(payload["error"])
            case "message":
                raise ValueError("no content")
            case _:
                return ()

    def _begin(self, index: int, block: JsonObject) -> tuple[Event, ...]:
        match block["type"]:
            case "text":
                return (TextDelta(block["text"]),) if block.get("text") else ()
            case "thinking":
                text, signature = block.get("thinking"), block.get("signature")
                return (
                    *((ReasoningDelta(text),) if text else ()),
                    *((ReasoningDelta("", signature=signature),) if signature else ()),
                )
            case "redacted_thinking":
                return (ReasoningDelta("", redacted=block["data"]),)
            case "tool_use":
                self._silent.add(index)
                if block["name"] == self._answer_tool:
                    self._open[index] = _Call(None, block.get("input") or {})
                    return ()
                call, self._calls = self._calls, self._calls + 1
                self._open[index] = _Call(call, block.get("input") or {})
                return (ToolCallStarted(call, block["id"], self._names.get(block["name"], block["name"])),)
            case _:  # server_tool_use and the results of server tools: the provider's own affair
                return ()

    def _delta(self, index: int, delta: JsonObject) -> tuple[Event, ...]:
        match delta["type"]:
            case "text_delta":
                return (TextDelta(delta["text"]),) if delta["text"] else ()
            case "input_json_delta":
                call = self._open.get(index)
                piece = delta["partial_json"]
                if call is None or not piece:
                    return ()
                self._silent.discard(index)
                return (_piece(call, piece),)
            case "thinking_delta":
                return (ReasoningDelta(delta["thinking"]),) if delta["thinking"] else ()
            case "signature_delta":
                return (ReasoningDelta("", signature=delta["signature"]),)
            case _:  # citations_delta
                return ()

    def _end(self, index: int) -> tuple[Event, ...]:
        call = self._open.pop(index, None)
        if call is None or index not in self._silent:
            return ()
        self._silent.discard(index)
        return (_piece(call, dumps(call.input).decode()),)

    def _finish(self, delta: JsonObject) -> tuple[Event, ...]:
        reason = delta.get("stop_reason")
        if reason is None or self._finished:
            return ()
        self._finished = True
        finish = FINISH_REASONS.get(reason, "stop")
        if finish in ("stop", "tool_calls"):  # imitators of this wire say end_turn after calls
            finish = "tool_calls" if self._calls else "stop"
        explanation = (delta.get("stop_details") or {}).get("explanation") if reason == "refusal" else None
        refused = (RefusalDelta(explanation),) if explanation else ()
        return (*refused, Finished(finish, stop_sequence=delta.get("stop_sequence")))

    def _count(self, usage: JsonObject | None) -> tuple[Event, ...]:
        """Counts are cumulative: a later one replaces an earlier one, an absent or null one leaves it."""
        if not usage:
            return ()
        self._usage.update((field, value) for field, value in usage.items() if value is not None)
        return (UsageReported(usage_of(self._usage)),)

    def _refusal(self, error: JsonObject) -> UpstreamRefused:
        kind = error.get("type")
        message = error.get("message")
        return UpstreamRefused(
            clean(message) if message else f"endpoint '{self._endpoint}' broke off with {clean(str(kind))[:40]}",
            upstream_status=ERROR_STATUSES.get(kind or "", 500),
        )


def _piece(call: _Call, text: str) -> Event:
    return TextDelta(text) if call.ordinal is None else ToolCallDelta(call.ordinal, text)


def usage_of(usage: JsonObject) -> Usage:
    """The wire's buckets are disjoint already; writes without a breakdown count as five-minute ones."""
    breakdown = usage.get("cache_creation") or {}
    five, hour = _int(breakdown.get("ephemeral_5m_input_tokens")), _int(breakdown.get("ephemeral_1h_input_tokens"))
    written = usage.get("cache_creation_input_tokens")
    total = five + hour if written is None else _int(written)
    hour = min(hour, total)
    return Usage(
        input_tokens=_int(usage.get("input_tokens")),
        output_tokens=_int(usage.get("output_tokens")),
        cache_read_tokens=_int(usage.get("cache_read_input_tokens")),
        cache_write_5m_tokens=total - hour,
        cache_write_1h_tokens=hour,
        reasoning_tokens=_int((usage.get("output_tokens_details") or {}).get("thinking_tokens")),
    )


def _int(value: object) -> int:
    return count(value) or 0
