"""Legacy completions on OpenAI's wire, and what to do where a backend only chats."""

from __future__ import annotations

from typing import Any

from shared.chat.events import Event, Finished, Frame, Started, TextDelta, UsageReported
from shared.chat.request import ChatRequest, Native
from shared.errors import InvalidRequest, UpstreamMalformed
from shared.providers.openai_compatible.events import finish_reason, read_choices, stream_error
from shared.providers.openai_compatible.usage import read_usage
from shared.wire import JsonObject, dumps

CHUNK = "openai_completions"
WHOLE = "openai_completions/whole"


class CompletionDecoder:
    """The chunks of one `text_completion` stream."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._started = False
        self._begun: set[int] = set()
        self._finished: set[int] = set()

    @property
    def complete(self) -> bool:
        return bool(self._begun) and self._begun == self._finished

    def decode(self, chunk: JsonObject) -> Frame:
        if chunk.get("error") or ("choices" not in chunk and ("detail" in chunk or "error_message" in chunk)):
            raise stream_error(chunk, self._endpoint)
        events: list[Event] = []
        if not self._started:
            self._started = True
            events.append(Started(_str(chunk.get("id")), _str(chunk.get("model"))))
        if choices := read_choices(chunk):
            chunk["choices"] = [choice for choice in choices if self._says(choice, events)]
        if usage := read_usage(chunk.get("usage")):
            events.append(UsageReported(usage))
        return Frame(tuple(events), Native(CHUNK, chunk))

    def _says(self, choice: JsonObject, events: list[Event]) -> bool:
        """Whether the choice says anything: behind its end, LiteLLM dresses the usage with an empty one."""
        index = choice["index"]
        self._begun.add(index)
        before = len(events)
        _text_events(choice, index, events)
        said = events[before:]
        if said and isinstance(said[-1], Finished):
            self._finished.add(index)
        return bool(said) or index not in self._finished


def decode_whole_completion(body: JsonObject, endpoint: str) -> Frame:
    if body.get("error"):
        raise stream_error(body, endpoint)
    choices = read_choices(body)
    if not choices:
        raise UpstreamMalformed(f"endpoint '{endpoint}' answered without choices")
    events: list[Event] = [Started(_str(body.get("id")), _str(body.get("model")))]
    for choice in choices:
        choice["finish_reason"] = finish_reason(choice.get("finish_reason") or "stop", called=False)
        _text_events(choice, choice["index"], events)
    if usage := read_usage(body.get("usage")):
        events.append(UsageReported(usage))
    else:
        body.pop("usage", None)
    return Frame(tuple(events), Native(WHOLE, body))


def _text_events(choice: JsonObject, index: int, events: list[Event]) -> None:
    text = choice.get("text")
    if not isinstance(text, str):
        text = choice["text"] = "" if text is None else dumps(text).decode()
    if text or choice.get("logprobs"):
        events.append(TextDelta(text, index, choice.get("logprobs")))
    reason = choice.get("finish_reason")
    if reason:
        choice["finish_reason"] = finish_reason(reason, called=False)
        matched = choice.get("stop_reason")
        events.append(Finished(choice["finish_reason"], index, matched if isinstance(matched, str) else None))


def as_chat(request: ChatRequest) -> ChatRequest:
    """The completion as a chat of one user message; raises InvalidRequest for a prompt of tokens."""
    if not all(isinstance(prompt, str) for prompt in request.prompts):
        raise InvalidRequest(
            "this model's backend only chats and cannot read token prompts; send `prompt` as text", param="prompt"
        )
    return request._replace(native=Native("openai_completions/chat", request.native.body))


def _str(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
