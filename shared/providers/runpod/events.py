"""A worker's outputs into events: OpenAI's chunks as text or objects, native tokens, Ollama's answers, plain text.

What workers send is in `reference/clients.md` §7 and `reference/original-behaviour.md` §1.4.
"""

from __future__ import annotations

from typing import Any

from shared.chat.events import Event, Finished, Frame, Started, TextDelta, UsageReported
from shared.errors import UpstreamCut, UpstreamFailure, UpstreamMalformed
from shared.providers.http import error_words, parse_object
from shared.providers.ollama.events import AnswerDecoder
from shared.providers.openai_compatible.completions import CompletionDecoder, decode_whole_completion
from shared.providers.openai_compatible.events import ChunkDecoder, decode_whole, stream_error
from shared.providers.openai_compatible.usage import read_usage
from shared.providers.sse import EventDecoder, ServerEvent
from shared.wire import JsonObject, dumps, loads

_SSE_BEGINNINGS = ("data:", "event:")
_TEXT_FIELDS = ("text", "generated_text", "content", "output")


class OutputDecoder:
    """The outputs of one job, in order, whatever mixture they are; `ended` once the answer said so itself."""

    def __init__(self, endpoint: str, job_id: str, *, announced: bool, legacy: bool, stream: bool) -> None:
        """`announced`: the client knows the job's id already, and every frame bears it. `legacy`: completions."""
        self._endpoint = endpoint
        self._job_id = job_id
        self._announced = announced
        self._started = announced
        self._legacy = legacy
        self._stream = stream
        self._chunks: ChunkDecoder | CompletionDecoder = (
            CompletionDecoder(endpoint) if legacy else ChunkDecoder(endpoint)
        )
        self._chunked = False
        self._sse: EventDecoder | None = None
        self._held = ""  # text that may become the beginning of server-sent events
        self._plain = False
        self._answer: AnswerDecoder | None = None
        self._open: set[int] = set()  # choices of outputs that know no finish reason
        self.seen = False
        self.ended = False

    def feed(self, output: Any, frames: list[Frame]) -> None:
        """Append the frames of one output; raises what an error in it means, behind the frames before it."""
        match output:
            case str():
                self._text(output, frames)
            case dict():
                self._object(output, frames)
            case list():
                for item in output:
                    self.feed(item, frames)
            case None:
                pass
            case _:
                raise self._unknown()

    def finish(self, frames: list[Frame]) -> None:
        """Append what the end of the job completes; raises UpstreamCut or UpstreamMalformed where that is nothing."""
        if self._held:
            held, self._held = self._held, ""
            self._says([(0, held)], frames)
        if self._sse is not None:
            last = self._sse.rest()
            if last:
                self._event(last, frames)
        events: list[Event] = [Finished("stop", choice) for choice in sorted(self._open)]
        if self._answer is not None and not self._answer.complete:
            events.append(Finished("stop"))
        if events:
            frames.append(Frame(tuple(events)))
        if self._chunked and not self._chunks.complete:
            raise UpstreamCut(f"endpoint '{self._endpoint}' ended its job before the answer was complete")
        if not self.seen:
            raise UpstreamMalformed(f"endpoint '{self._endpoint}' ended its job without an answer")

    def _text(self, text: str, frames: list[Frame]) -> None:
        """Server-sent events cut anywhere, one JSON object, or words of the answer."""
        if self._sse is None and not self._plain:
            text, self._held = self._held + text, ""
            begun = text.lstrip()
            if begun.startswith(_SSE_BEGINNINGS):
                self._sse = EventDecoder()
            elif any(beginning.startswith(begun) for beginning in _SSE_BEGINNINGS):
                self._held = text
                return
            elif (found := _object_in(begun)) is not None:
                self._object(found, frames)
                return
            else:
                self._plain = True
        if self._sse is not None:
            for event in self._sse.feed(text.encode("utf-8", "replace")):
                self._event(event, frames)
        else:
            self._says([(0, text)], frames)

    def _event(self, event: ServerEvent, frames: list[Frame]) -> None:
        if event.data == b"[DONE]":
            self.ended = True
        elif event.data and not self.ended:
            self._object(parse_object(event.data, self._endpoint), frames)

    def _object(self, item: JsonObject, frames: list[Frame]) -> None:
        if item.get("error"):
            raise worker_error(item, self._endpoint)
        if item.get("object") == "error":  # vLLM before it wrapped its errors
            raise stream_error({"error": item}, self._endpoint)
        choices = item.get("choices")
        if isinstance(choices, list):
            self._choices(item, [choice for choice in choices if isinstance(choice, dict)], frames)
        elif isinstance(item.get("message"), dict) or "response" in item or "done" in item:
            self._answer = self._answer or AnswerDecoder(self._endpoint)
            self._add(self._answer.decode(item), frames)
            self.ended = self._answer.complete
        elif isinstance(item.get("output"), dict | list):
            self.feed(item["output"], frames)
        else:
            text = next((item[field] for field in _TEXT_FIELDS if isinstance(item.get(field), str)), None)
            if text is None:
                raise self._unknown()
            self._says([(0, text)], frames, item.get("usage"))

    def _choices(self, item: JsonObject, choices: list[JsonObject], frames: list[Frame]) -> None:
        first = choices[0] if choices else {}
        if isinstance(first.get("message"), dict):
            self._add(decode_whole(item, self._endpoint), frames)
            self.ended = True
        elif "tokens" in first:
            said = [(place, _joined(choice.get("tokens"))) for place, choice in enumerate(choices)]
            self._says(said, frames, item.get("usage"))
        elif "text" in first and not self._legacy:
            said = [(place, str(choice.get("text") or "")) for place, choice in enumerate(choices)]
            self._says(said, frames, item.get("usage"))
        elif self._legacy and not self._stream:
            self._add(decode_whole_completion(item, self._endpoint), frames)
            self.ended = True
        else:
            for choice in choices:
                delta = choice.get("delta")
                if isinstance(delta, dict) and isinstance(delta.get("content"), list):
                    delta["content"] = _joined(delta["content"])
            self._chunked = True
            self._add(self._chunks.decode(item), frames)

    def _says(self, said: list[tuple[int, str]], frames: list[Frame], counts: Any = None) -> None:
        self._open.update(choice for choice, _ in said)
        events: list[Event] = [TextDelta(text, choice) for choice, text in said if text]
        if usage := read_usage(counts):
            events.append(UsageReported(usage))
        self._add(Frame((Started(), *events)), frames)

    def _add(self, frame: Frame, frames: list[Frame]) -> None:
        """One `Started` per answer, with the job's id where the worker gave no other."""
        events: list[Event] = []
        for event in frame.events:
            if not isinstance(event, Started):
                events.append(event)
            elif not self._started:
                events.append(event._replace(id=event.id or self._job_id))
                self._started = True
        if frame.native and self._announced:
            frame.native.body["id"] = self._job_id
        self.seen = True
        if events or frame.native:
            frames.append(Frame(tuple(events), frame.native))

    def _unknown(self) -> UpstreamMalformed:
        return UpstreamMalformed(
            f"endpoint '{self._endpoint}' answered in a form that the gateway does not know; check its input_shape"
        )


def worker_error(item: JsonObject, endpoint: str) -> UpstreamFailure:
    """An error that a worker put into its output; OpenAI-shaped ones keep their status."""
    if isinstance(item.get("error"), dict):
        return stream_error(item, endpoint)
    return job_failure(item.get("error"), endpoint)


def job_failure(error: Any, endpoint: str) -> UpstreamFailure:
    """A job's `error`: text, or JSON text with `error_message` and a traceback that is nobody's business."""
    words = error_words(dumps({"error": error}))[0] if error else None
    if words and "Traceback (most recent call last)" in words:
        words = next((line for line in reversed(words.splitlines()) if line.strip()), None)
    return UpstreamFailure(
        f"the job on endpoint '{endpoint}' failed" + (f": {words}" if words else ""), code="job_failed"
    )


def _joined(tokens: Any) -> str:
    if isinstance(tokens, list):
        return "".join(token if isinstance(token, str) else str(token.get("text", "")) for token in tokens)
    return tokens if isinstance(tokens, str) else ""


def _object_in(text: str) -> JsonObject | None:
    if not text.startswith("{"):
        return None
    try:
        value = loads(text)
    except ValueError:
        return None
    known = isinstance(value, dict) and value.keys() & {"choices", "error", "message", "response", "done"}
    return value if known else None
