"""A whole answer, collected from the same events that a stream shows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, assert_never

from shared.chat.events import (
    Event,
    Failed,
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
from shared.chat.usage import Usage


class Embeddings(NamedTuple):
    """One vector per input, in order."""

    vectors: list[list[float]]
    usage: Usage | None = None


@dataclass(slots=True)
class ToolCall:
    id: str
    name: str
    arguments: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Choice:
    text: list[str] = field(default_factory=list)
    refusal: list[str] = field(default_factory=list)
    reasoning: list[ReasoningDelta] = field(default_factory=list)
    tool_calls: dict[int, ToolCall] = field(default_factory=dict)
    logprobs: Any = None
    finish: Finished | None = None

    @property
    def finish_reason(self) -> FinishReason | None:
        return self.finish.reason if self.finish else None


@dataclass(slots=True)
class Response:
    """The answer so far. `native` is set only when one untouched message of the backend was the whole answer."""

    started: Started = Started()
    choices: dict[int, Choice] = field(default_factory=dict)
    usage: Usage | None = None
    native: Native | None = None
    _frames: int = 0

    def add(self, frames: Iterable[Frame]) -> None:
        """Take in frames; raises the error of a Failed event."""
        for frame in frames:
            if frame.events or frame.native:
                self.native = frame.native if self._frames == 0 else None
                self._frames += 1
            for event in frame.events:
                self._take(event)

    def choice(self, index: int) -> Choice:
        return self.choices.setdefault(index, Choice())

    def _take(self, event: Event) -> None:
        match event:
            case TextDelta():
                choice = self.choice(event.choice)
                choice.text.append(event.text)
                if event.logprobs is not None:
                    choice.logprobs = _join_logprobs(choice.logprobs, event.logprobs)
            case ReasoningDelta():
                self.choice(event.choice).reasoning.append(event)
            case RefusalDelta():
                self.choice(event.choice).refusal.append(event.text)
            case ToolCallStarted():
                self.choice(event.choice).tool_calls[event.call] = ToolCall(event.id, event.name)
            case ToolCallDelta():
                self.choice(event.choice).tool_calls[event.call].arguments.append(event.arguments)
            case UsageReported():
                self.usage = event.usage
            case Finished():
                self.choice(event.choice).finish = event
            case Started():
                self.started = event
            case Failed():
                raise event.error
            case _:
                assert_never(event)


def _join_logprobs(whole: Any, more: Any) -> Any:
    """OpenAI's logprobs are an object of lists (`content`, `refusal`; legacy: `tokens`, …): append list to list."""
    if not isinstance(whole, dict) or not isinstance(more, dict):
        return more
    joined = dict(whole)
    for key, value in more.items():
        before = joined.get(key)
        joined[key] = before + value if isinstance(before, list) and isinstance(value, list) else value
    return joined
