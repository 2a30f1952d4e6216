"""OpenAI chunks and whole answers into events, with the faults of real backends mended on the way.

Mended in place, so that the frame can still be relayed: ids and names repeated in every tool delta (llama-cpp-python),
parallel calls that all have index 0, ids, types or arguments that are missing, `finish_reason` that is unknown or
"stop" after calls, null roles. What was observed of which backend is in `reference/clients.md` §7.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

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
from shared.errors import UpstreamFailure, UpstreamMalformed, UpstreamRefused
from shared.providers.http import error_words
from shared.providers.openai_compatible.usage import read_usage
from shared.wire import JsonObject, dumps

FINISH_REASONS: Mapping[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    "function_call": "tool_calls",
    "eos": "stop",
    "eos_token": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_length": "length",
    "tool_use": "tool_calls",
    "safety": "content_filter",
    "refusal": "content_filter",
}

ERROR_TYPES: Mapping[str, int] = {
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "overloaded_error": 529,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "invalid_request_error": 400,
    "BadRequestError": 400,
    "NotFoundError": 404,
    "context_length_exceeded": 400,
    "exceed_context_size_error": 400,
}

WHOLE = "openai_chat/whole"
CHUNK = "openai_chat"


class _Choice:
    """What has been seen of one choice: which backend index and id stands for which call, and whether it is done."""

    __slots__ = ("calls", "count", "finished")

    def __init__(self) -> None:
        self.calls: dict[int, tuple[int, str]] = {}
        self.count = 0
        self.finished = False


class ChunkDecoder:
    """One stream's chunks, in order; `complete` tells whether every choice that began has its finish reason."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._started = False
        self._choices: dict[int, _Choice] = {}

    @property
    def complete(self) -> bool:
        return bool(self._choices) and all(choice.finished for choice in self._choices.values())

    def decode(self, chunk: JsonObject) -> Frame:
        """One chunk as a frame; raises what an error chunk means."""
        if "choices" not in chunk and ("error" in chunk or "error_message" in chunk or "detail" in chunk):
            raise stream_error(chunk, self._endpoint)
        if chunk.get("error"):
            raise stream_error(chunk, self._endpoint)
        events: list[Event] = []
        if not self._started:
            self._started = True
            events.append(Started(_str(chunk.get("id")), _str(chunk.get("model")), _int(chunk.get("created"))))
        for choice in read_choices(chunk):
            self._choice(choice, events)
        counts = chunk.get("usage")
        if counts is not None and (usage := read_usage(counts)):
            events.append(UsageReported(usage))
        return Frame(tuple(events), Native(CHUNK, chunk))

    def _choice(self, choice: JsonObject, events: list[Event]) -> None:
        index = choice["index"]
        state = self._choices.get(index)
        if state is None:
            state = self._choices[index] = _Choice()
        delta = choice.get("delta")
        if isinstance(delta, dict):
            message_events(delta, index, choice.get("logprobs"), events)
            if "tool_calls" in delta and _call_list(delta):
                delta.pop("function_call", None)  # llama-cpp-python says everything twice
                self._calls(delta["tool_calls"], index, state, events)
            elif isinstance(delta.get("function_call"), dict):
                self._legacy_call(delta, index, state, events)
            if delta.get("role", "assistant") is None:
                del delta["role"]
        else:
            choice["delta"] = {}
        reason = choice.get("finish_reason")
        if reason:
            finished = finish_reason(reason, called=state.count > 0)
            if state.finished:
                choice["finish_reason"] = None  # exactly one
                return
            choice["finish_reason"] = finished
            state.finished = True
            matched = choice.get("stop_reason")
            events.append(Finished(finished, index, matched if isinstance(matched, str) else None))

    def _calls(self, calls: list[JsonObject], index: int, state: _Choice, events: list[Event]) -> None:
        for position, call in enumerate(calls):
            if isinstance(
                call.get("custom"), dict
            ):  # OpenAI's custom tools: relayed as they are, no other wire has them
                state.count += call["custom"].get("name") is not None
                continue
            claimed = call.get("index")
            if type(claimed) is not int:
                claimed = position if len(calls) > 1 else max(state.count - 1, 0)
            given = _str(call.get("id"))
            function = call.get("function")
            if not isinstance(function, dict):
                function = call["function"] = {}
            name = _str(function.get("name"))
            known = state.calls.get(claimed)
            if known is None or (given and name and given != known[1]):
                if not name:
                    if known is None:
                        raise UpstreamMalformed(f"endpoint '{self._endpoint}' sent a tool call without a name")
                    continue
                known = state.calls[claimed] = (state.count, given or new_call_id())
                state.count += 1
                call["id"], call["type"] = known[1], "function"
                events.append(ToolCallStarted(known[0], known[1], name, index))
                function.setdefault("arguments", "")
            else:
                call.pop("id", None)
                call.pop("type", None)
                function.pop("name", None)
            call["index"] = known[0]
            arguments = function.get("arguments")
            if not isinstance(arguments, str):
                arguments = function["arguments"] = "" if arguments is None else dumps(arguments).decode()
            if arguments:
                events.append(ToolCallDelta(known[0], arguments, index))

    def _legacy_call(self, delta: JsonObject, index: int, state: _Choice, events: list[Event]) -> None:
        """`function_call`, from before tools: one call, passed on as a call."""
        legacy = delta["function_call"]
        if state.count == 0:
            state.calls[0] = (0, new_call_id())
            state.count = 1
            events.append(ToolCallStarted(0, state.calls[0][1], _str(legacy.get("name")) or "", index))
        if isinstance(legacy.get("arguments"), str) and legacy["arguments"]:
            events.append(ToolCallDelta(0, legacy["arguments"], index))


def decode_whole(body: JsonObject, endpoint: str) -> Frame:
    """A `chat.completion` as one frame."""
    if body.get("error") or ("choices" not in body and ("detail" in body or "error_message" in body)):
        raise stream_error(body, endpoint)
    choices = read_choices(body)
    if not choices:
        raise UpstreamMalformed(f"endpoint '{endpoint}' answered without choices")
    events: list[Event] = [Started(_str(body.get("id")), _str(body.get("model")), _int(body.get("created")))]
    for choice in choices:
        index, message = choice["index"], choice.get("message")
        if not isinstance(message, dict):
            raise UpstreamMalformed(f"endpoint '{endpoint}' answered with a choice that has no message")
        message["role"] = "assistant"
        message_events(message, index, choice.get("logprobs"), events)
        called = _whole_calls(message, index, events)
        if called:
            message.pop("function_call", None)  # llama-cpp-python says everything twice
        legacy = message.get("function_call")
        if isinstance(legacy, dict) and _str(legacy.get("name")) and not called:
            events.append(ToolCallStarted(0, new_call_id(), legacy["name"], index))
            events.append(ToolCallDelta(0, str(legacy.get("arguments") or "{}"), index))
        reason = choice.get("finish_reason")
        if not reason:
            raise UpstreamMalformed(f"endpoint '{endpoint}' answered without a finish reason")
        finished = finish_reason(reason, called=called > 0)
        if not isinstance(legacy, dict):
            choice["finish_reason"] = finished
        matched = choice.get("stop_reason")
        events.append(Finished(finished, index, matched if isinstance(matched, str) else None))
    if usage := read_usage(body.get("usage")):
        events.append(UsageReported(usage))
    else:
        body.pop("usage", None)
    return Frame(tuple(events), Native(WHOLE, body))


def read_choices(body: JsonObject) -> list[JsonObject]:
    """The choices of a chunk or a whole answer, each with a whole number as its index; what is no object goes."""
    given = body.get("choices")
    if given is None:
        return []
    choices = [choice for choice in given if isinstance(choice, dict)] if isinstance(given, list) else []
    body["choices"] = choices
    for position, choice in enumerate(choices):
        index = choice.get("index")
        if type(index) is not int or index < 0:
            choice["index"] = position
        logprobs = choice.get("logprobs")
        if logprobs is not None and not isinstance(logprobs, dict):
            choice["logprobs"] = None
    return choices


def _call_list(message: JsonObject) -> list[JsonObject]:
    """The `tool_calls` of a message or a delta; what is no list of objects is taken out of it."""
    given = message.get("tool_calls")
    if given is None:
        return []
    calls = [call for call in given if isinstance(call, dict)] if isinstance(given, list) else []
    if calls:
        message["tool_calls"] = calls
    else:
        del message["tool_calls"]
    return calls


def _whole_calls(message: JsonObject, index: int, events: list[Event]) -> int:
    count = 0
    for call in _call_list(message):
        function = call.get("function")
        if not isinstance(function, dict) or not _str(function.get("name")):
            continue
        call["id"] = _str(call.get("id")) or new_call_id()
        call["type"] = "function"
        arguments = function.get("arguments")
        if not isinstance(arguments, str):
            function["arguments"] = arguments = dumps({} if arguments is None else arguments).decode()
        events.append(ToolCallStarted(count, call["id"], function["name"], index))
        events.append(ToolCallDelta(count, arguments, index))
        count += 1
    return count


def message_events(message: JsonObject, index: int, logprobs: Any, events: list[Event]) -> None:
    """Reasoning, text and refusal of a message or a delta, in that order."""
    thought = message.get("reasoning_content") or message.get("reasoning")
    if isinstance(thought, str) and thought:
        events.append(ReasoningDelta(thought, index))
    content = message.get("content")
    if isinstance(content, list):  # Mistral answers with parts
        content = message["content"] = "".join(
            part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str)
        )
    elif content is not None and not isinstance(content, str):
        content = message["content"] = dumps(content).decode()
    if content:
        events.append(TextDelta(content, index, logprobs))
    elif logprobs:
        events.append(TextDelta("", index, logprobs))
    refusal = message.get("refusal")
    if isinstance(refusal, str) and refusal:
        events.append(RefusalDelta(refusal, index))
    elif refusal:
        message["refusal"] = None


def finish_reason(reason: Any, *, called: bool) -> FinishReason:
    known = FINISH_REASONS.get(reason, "stop") if isinstance(reason, str) else "stop"
    return "tool_calls" if called and known == "stop" else known


def stream_error(body: JsonObject, endpoint: str) -> UpstreamFailure:
    """What an error object inside a 200 means; its status is in `code`, in `status` or implied by `type`."""
    error = body.get("error")
    error = error if isinstance(error, dict) else {}
    message, code, param = error_words(dumps(body))
    status = next(
        (
            value
            for value in (error.get("code"), error.get("status"), body.get("code"), body.get("status_code"))
            if type(value) is int and 400 <= value < 600
        ),
        None,
    )
    if status is None:
        names = (error.get("type"), error.get("code"), body.get("error_type"))
        status = next((ERROR_TYPES[name] for name in names if isinstance(name, str) and name in ERROR_TYPES), 500)
    said = message or f"endpoint '{endpoint}' reported an error without words"
    return UpstreamRefused(said, upstream_status=status, code=code, param=param)


def new_call_id() -> str:
    return f"call_{secrets.token_hex(12)}"


def _str(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _int(value: Any) -> int | None:
    return value if type(value) is int else None
