"""Events into chat completion chunks, and a collected answer into a chat completion.

What clients break on is in `reference/clients.md` §4: the role in the first delta of each choice, an index everywhere,
id and name of a call once, exactly one finish reason, no chunk with empty `choices` unless usage was asked for.
"""

from __future__ import annotations

from typing import Any, assert_never

from shared.chat.events import (
    Batch,
    Event,
    Failed,
    Finished,
    Frame,
    ReasoningDelta,
    RefusalDelta,
    Started,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from shared.chat.response import Choice, Response
from shared.chat.usage import Usage
from shared.errors import GatewayError
from shared.protocols.openai_errors import error_body
from shared.protocols.rendering import Envelope
from shared.wire import JsonObject, dumps

DONE = b"data: [DONE]\n\n"
KEEP_ALIVE = b": keep-alive\n\n"
PREFIX = "chatcmpl"  # of ids


class ChunkRenderer:
    """One stream: the same id, created and model on every chunk, usage last and only for those who asked."""

    def __init__(self, envelope: Envelope) -> None:
        self._model = envelope.request.model
        self._asked_usage = envelope.request.include_usage
        self._id = envelope.new_id(PREFIX)
        self._created = envelope.created
        self._named = False
        self._spoken: set[int] = set()
        self._usage: JsonObject | None = None
        self._marks: JsonObject = {}

    def feed(self, batch: Batch) -> bytes:
        out: list[bytes] = []
        for frame in batch:
            if frame.native is not None and frame.native.wire == "openai_chat":
                self._relay(frame.native.body, frame, out)
            else:
                for event in frame.events:
                    self._event(event, out)
        return b"".join(out)

    def finish(self) -> bytes:
        if not self._asked_usage:
            return DONE
        last = self._envelope([])
        last["usage"] = self._usage or usage_body(Usage())
        return b"data: " + dumps(last) + b"\n\n" + DONE

    def fail(self, error: GatewayError) -> bytes:
        return b"data: " + dumps(error_body(error)) + b"\n\n"

    def _relay(self, chunk: JsonObject, frame: Frame, out: list[bytes]) -> None:
        """The backend's own chunk, with our name for the model and without what was not asked for."""
        if not self._named:
            self._named = True
            given, created = chunk.get("id"), chunk.get("created")
            self._id = given if isinstance(given, str) and given else self._id
            self._created = created if type(created) is int and created > 0 else self._created
        counts = chunk.get("usage")
        if counts is not None:
            reported = next((event.usage for event in frame.events if type(event) is UsageReported), None)
            if reported:
                self._usage = counts if is_usage(counts) else usage_body(reported)
            del chunk["usage"]
        choices = chunk.get("choices")
        if not choices:
            return
        chunk["id"] = self._id
        chunk["object"] = "chat.completion.chunk"
        chunk["created"] = self._created
        chunk["model"] = self._model
        if self._asked_usage:
            chunk["usage"] = None
        for choice in choices:
            choice["delta"].pop("role", None)  # some backends, as LitServe, say it in every delta
            if choice["index"] not in self._spoken:
                self._spoken.add(choice["index"])
                choice["delta"] = {"role": "assistant", **choice["delta"]}
        if counts is not None and not _says(choices):
            return  # a usage chunk dressed with an empty choice (LiteLLM)
        if not self._marks:
            self._marks = {key: chunk[key] for key in ("service_tier", "system_fingerprint") if key in chunk}
        out += (b"data: ", dumps(chunk), b"\n\n")

    def _event(self, event: Event, out: list[bytes]) -> None:
        match event:
            case Started():
                if not self._named:
                    self._named = True
                    self._id = event.id or self._id
                    self._created = event.created or self._created
                if 0 not in self._spoken:
                    self._delta(0, {"content": ""}, out)
            case TextDelta():
                self._delta(event.choice, {"content": event.text}, out, logprobs=event.logprobs)
            case ReasoningDelta():
                self._delta(event.choice, _reasoning(event), out)
            case RefusalDelta():
                self._delta(event.choice, {"refusal": event.text}, out)
            case ToolCallStarted():
                function = {"name": event.name, "arguments": ""}
                call = {"index": event.call, "id": event.id, "type": "function", "function": function}
                self._delta(event.choice, {"tool_calls": [call]}, out)
            case ToolCallDelta():
                call = {"index": event.call, "function": {"arguments": event.arguments}}
                self._delta(event.choice, {"tool_calls": [call]}, out)
            case Finished():
                self._delta(event.choice, {}, out, reason=event.reason)
            case UsageReported():
                self._usage = usage_body(event.usage)
            case Failed():
                out.append(self.fail(event.error))
            case _:
                assert_never(event)

    def _delta(
        self, index: int, delta: JsonObject, out: list[bytes], *, reason: str | None = None, logprobs: Any = None
    ) -> None:
        if index not in self._spoken:
            self._spoken.add(index)
            delta = {"role": "assistant", **delta}
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": reason}
        chunk = self._envelope([choice])
        if self._asked_usage:
            chunk["usage"] = None
        out += (b"data: ", dumps(chunk), b"\n\n")

    def _envelope(self, choices: list[JsonObject]) -> JsonObject:
        return {
            "id": self._id,
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": self._model,
            **self._marks,
            "choices": choices,
        }


def _says(choices: list[JsonObject]) -> bool:
    """Whether any of the choices carries more than a role."""
    return any(
        choice.get("finish_reason") or any(key != "role" and value for key, value in choice["delta"].items())
        for choice in choices
    )


def render_whole(envelope: Envelope, response: Response) -> JsonObject:
    """A `chat.completion`: the backend's own body where one untouched message was the whole answer."""
    native = response.native
    if native is not None and native.wire == "openai_chat/whole":
        return own_words(native.body, envelope, response, "chat.completion", PREFIX)
    return {
        "id": response.started.id or envelope.new_id(PREFIX),
        "object": "chat.completion",
        "created": response.started.created or envelope.created,
        "model": envelope.request.model,
        "choices": [_choice(index, choice) for index, choice in sorted(response.choices.items())],
        "usage": usage_body(response.usage or Usage()),
    }


def own_words(body: JsonObject, envelope: Envelope, response: Response, kind: str, prefix: str) -> JsonObject:
    """The backend's whole answer under our name for the model, with what of the envelope it left out."""
    given, created, counts = body.get("id"), body.get("created"), body.get("usage")
    return {
        **body,
        "id": given if isinstance(given, str) and given else envelope.new_id(prefix),
        "object": kind,
        "created": created if type(created) is int else envelope.created,
        "model": envelope.request.model,
        "usage": counts if is_usage(counts) else usage_body(response.usage or Usage()),
    }


def _choice(index: int, choice: Choice) -> JsonObject:
    text = "".join(choice.text)
    message: JsonObject = {
        "role": "assistant",
        "content": text or (None if choice.tool_calls or choice.refusal else ""),
    }
    message["refusal"] = "".join(choice.refusal) or None
    thought = "".join(delta.text for delta in choice.reasoning)
    if thought:
        message["reasoning_content"] = thought
    details = _details(choice.reasoning)
    if details:
        message["reasoning_details"] = details
    if choice.tool_calls:
        message["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": "".join(call.arguments) or "{}"},
            }
            for _, call in sorted(choice.tool_calls.items())
        ]
    return {"index": index, "message": message, "logprobs": choice.logprobs, "finish_reason": choice.finish_reason}


def _reasoning(event: ReasoningDelta) -> JsonObject:
    """Thinking as DeepSeek spells it; what its provider signed travels in OpenRouter's `reasoning_details`."""
    delta: JsonObject = {}
    if event.text:
        delta["reasoning_content"] = event.text
    if event.signature is not None:
        delta["reasoning_details"] = [{"type": "reasoning.text", "signature": event.signature}]
    elif event.redacted is not None:
        delta["reasoning_details"] = [{"type": "reasoning.encrypted", "data": event.redacted}]
    return delta


def _details(deltas: list[ReasoningDelta]) -> list[JsonObject]:
    """Signed and redacted thinking of a whole answer, each piece with the text that its signature covers."""
    details: list[JsonObject] = []
    text: list[str] = []
    for delta in deltas:
        text.append(delta.text)
        if delta.signature is not None:
            details.append({"type": "reasoning.text", "text": "".join(text), "signature": delta.signature})
            text = []
        elif delta.redacted is not None:
            details.append({"type": "reasoning.encrypted", "data": delta.redacted})
    return details


def is_usage(counts: Any) -> bool:
    """Whether a backend's counts have the three fields that clients add up."""
    return isinstance(counts, dict) and all(
        type(counts.get(name)) is int for name in ("prompt_tokens", "completion_tokens", "total_tokens")
    )


def usage_body(usage: Usage) -> JsonObject:
    """Counts as OpenAI spells them: `prompt_tokens` includes what the cache served or took."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cache_read_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }
