"""Events into `text_completion` chunks and whole completions."""

from __future__ import annotations

from typing import Any

from shared.chat.events import Batch, Failed, Finished, Frame, TextDelta, UsageReported
from shared.chat.request import ChatRequest
from shared.chat.response import Response
from shared.chat.usage import Usage
from shared.errors import GatewayError
from shared.protocols.openai_chat.render import DONE, is_usage, own_words, usage_body
from shared.protocols.openai_errors import error_body
from shared.protocols.rendering import Envelope
from shared.wire import JsonObject, dumps

PREFIX = "cmpl"  # of ids


class CompletionRenderer:
    """One stream of `text_completion` chunks; what is not text (reasoning, calls) has no place in this wire."""

    def __init__(self, envelope: Envelope) -> None:
        self._request = envelope.request
        self._id = envelope.new_id(PREFIX)
        self._created = envelope.created
        self._asked_usage = envelope.request.include_usage
        self._usage: JsonObject | None = None
        self._echoed: set[int] = set()
        self._named = False

    def feed(self, batch: Batch) -> bytes:
        out: list[bytes] = []
        for frame in batch:
            if frame.native is not None and frame.native.wire == "openai_completions":
                self._relay(frame.native.body, frame, out)
            else:
                self._events(frame, out)
        return b"".join(out)

    def finish(self) -> bytes:
        if not self._asked_usage:
            return DONE
        return b"data: " + dumps({**self._chunk([]), "usage": self._usage or usage_body(Usage())}) + b"\n\n" + DONE

    def fail(self, error: GatewayError) -> bytes:
        return b"data: " + dumps(error_body(error)) + b"\n\n"

    def _relay(self, chunk: JsonObject, frame: Frame, out: list[bytes]) -> None:
        if not self._named:
            self._named = True
            given = chunk.get("id")
            self._id = given if isinstance(given, str) and given else self._id
        counts = chunk.pop("usage", None)
        reported = next((event.usage for event in frame.events if type(event) is UsageReported), None)
        if reported:
            self._usage = counts if is_usage(counts) else usage_body(reported)
        if not chunk.get("choices"):
            return
        chunk.update(id=self._id, object="text_completion", created=self._created, model=self._request.model)
        if self._asked_usage:
            chunk["usage"] = None
        out += (b"data: ", dumps(chunk), b"\n\n")

    def _events(self, frame: Frame, out: list[bytes]) -> None:
        for event in frame.events:
            match event:
                case TextDelta():
                    self._text(event.choice, event.text, None, out)
                case Finished():
                    self._text(event.choice, "", event.reason, out)
                case UsageReported():
                    self._usage = usage_body(event.usage)
                case Failed():
                    out.append(self.fail(event.error))

    def _text(self, index: int, text: str, reason: str | None, out: list[bytes]) -> None:
        if index not in self._echoed:
            self._echoed.add(index)
            text = echo_of(self._request, index) + text
        choice = {"index": index, "text": text, "logprobs": None, "finish_reason": reason}
        chunk = self._chunk([choice])
        if self._asked_usage:
            chunk["usage"] = None
        out += (b"data: ", dumps(chunk), b"\n\n")

    def _chunk(self, choices: list[JsonObject]) -> JsonObject:
        return {
            "id": self._id,
            "object": "text_completion",
            "created": self._created,
            "model": self._request.model,
            "choices": choices,
        }


def render_whole(envelope: Envelope, response: Response) -> JsonObject:
    native = response.native
    if native is not None and native.wire == "openai_completions/whole":
        return own_words(native.body, envelope, response, "text_completion", PREFIX)
    return {
        "id": envelope.new_id(PREFIX),
        "object": "text_completion",
        "created": envelope.created,
        "model": envelope.request.model,
        "choices": [
            {
                "index": index,
                "text": echo_of(envelope.request, index) + "".join(choice.text),
                "logprobs": choice.logprobs,
                "finish_reason": choice.finish_reason,
            }
            for index, choice in sorted(response.choices.items())
        ],
        "usage": usage_body(response.usage or Usage()),
    }


def echo_of(request: ChatRequest, index: int) -> str:
    """The prompt that choice `index` belongs to, where the client wants it repeated."""
    if not request.native.body.get("echo"):
        return ""
    prompt: Any = request.prompts[min(index // request.sampling.n, len(request.prompts) - 1)]
    return prompt if isinstance(prompt, str) else ""
