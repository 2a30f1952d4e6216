"""Lines of `/api/chat` and `/api/generate` into events."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from shared.chat.events import (
    Event,
    Finished,
    FinishReason,
    Frame,
    ReasoningDelta,
    Started,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from shared.chat.request import Native
from shared.chat.usage import Usage, count
from shared.errors import UpstreamCut, UpstreamFailure, UpstreamRefused
from shared.providers.http import error_words
from shared.wire import JsonObject, dumps

FINISH_REASONS: Mapping[str, FinishReason] = {"stop": "stop", "length": "length"}  # unload, load, "": an empty answer
_CONTEXT_WORDS = re.compile(r"context (?:length|window|size)|exceed", re.IGNORECASE)
_TIME = re.compile(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)$")


class AnswerDecoder:
    """The lines of one answer, in order; `complete` once a line said `done`."""

    def __init__(self, endpoint: str, *, native_wire: str | None = None) -> None:
        self._endpoint = endpoint
        self._native_wire = native_wire
        self._started = False
        self._calls = 0
        self.complete = False

    def decode(self, line: JsonObject) -> Frame:
        """One line as a frame, reasoning before text before calls; raises what an error line means."""
        if line.get("error"):
            raise self._failure(line)
        events: list[Event] = []
        if not self._started:
            self._started = True
            events.append(Started(None, _str(line.get("model")), _seconds(line.get("created_at"))))
        message = line.get("message")
        answer = message if isinstance(message, dict) else line
        thought = answer.get("thinking")
        if isinstance(thought, str) and thought:
            events.append(ReasoningDelta(thought))
        text = answer.get("content") if answer is message else answer.get("response")
        if isinstance(text, str) and text:
            events.append(TextDelta(text))
        self._tool_calls(answer.get("tool_calls"), events)
        if line.get("done") is True and not self.complete:
            self.complete = True
            if usage := read_usage(line):
                events.append(UsageReported(usage))
            reason = FINISH_REASONS.get(str(line.get("done_reason")), "stop")
            events.append(Finished("tool_calls" if self._calls and reason == "stop" else reason))
        return Frame(tuple(events), Native(self._native_wire, line) if self._native_wire else None)

    def _tool_calls(self, calls: Any, events: list[Event]) -> None:
        """Calls arrive whole: one delta holds all arguments."""
        for call in calls if isinstance(calls, list) else ():
            function = call.get("function") if isinstance(call, dict) else None
            name = _str(function.get("name")) if isinstance(function, dict) else None
            if name is None or function is None:
                continue
            arguments = function.get("arguments")
            text = arguments if isinstance(arguments, str) else dumps(arguments or {}).decode()
            call_id = _str(call.get("id")) or f"call_{secrets.token_hex(12)}"
            events.append(ToolCallStarted(self._calls, call_id, name))
            events.append(ToolCallDelta(self._calls, text or "{}"))
            self._calls += 1

    def _failure(self, line: JsonObject) -> UpstreamFailure:
        message = error_words(dumps(line))[0] or f"endpoint '{self._endpoint}' reported an error without words"
        if self._started:
            return UpstreamCut(f"endpoint '{self._endpoint}' broke its answer off: {message}")
        claimed = line.get("status_code")
        if type(claimed) is int and 400 <= claimed < 600:
            status = claimed
        else:
            status = 400 if _CONTEXT_WORDS.search(message) else 500
        return UpstreamRefused(message, upstream_status=status)


def read_usage(line: JsonObject) -> Usage | None:
    """The counts of the last line; None when there are none. A prompt that was not counted (it was cached) counts 0,
    and is estimated."""
    prompt, answer = count(line.get("prompt_eval_count")), count(line.get("eval_count"))
    if not prompt and not answer:
        return None
    return Usage(input_tokens=prompt or 0, output_tokens=answer or 0)


def _seconds(value: Any) -> int | None:
    """Seconds since 1970 of Go's RFC 3339 time with up to nine decimals."""
    match = _TIME.match(value) if isinstance(value, str) else None
    if match is None:
        return None
    try:
        return int(datetime.fromisoformat(match[1] + match[2]).timestamp())
    except ValueError:
        return None


def _str(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
