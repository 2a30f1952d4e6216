"""What happens while a model answers, one small value each.

Tuples instead of frozen dataclasses: a stream makes one or two per token; 0.4 µs each, not 1.0.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, TypeAlias

from shared.chat.request import Native
from shared.chat.usage import Usage
from shared.errors import GatewayError

FinishReason: TypeAlias = Literal["stop", "length", "tool_calls", "content_filter"]


class Started(NamedTuple):
    """The backend has accepted the request; `id` and `model` are its own."""

    id: str | None = None
    model: str | None = None
    created: int | None = None


class TextDelta(NamedTuple):
    text: str
    choice: int = 0
    logprobs: Any = None  # OpenAI's `choices[].logprobs` of this delta, untouched


class RefusalDelta(NamedTuple):
    text: str
    choice: int = 0


class ReasoningDelta(NamedTuple):
    """Thinking; `signature` or `redacted` arrive in a delta of their own, with an empty text."""

    text: str
    choice: int = 0
    signature: str | None = None
    redacted: str | None = None


class ToolCallStarted(NamedTuple):
    """A call begins; `call` is the ordinal of the call within its choice, counted from 0."""

    call: int
    id: str
    name: str
    choice: int = 0


class ToolCallDelta(NamedTuple):
    """More of the JSON text of call `call`; all deltas of a call concatenate to its arguments."""

    call: int
    arguments: str
    choice: int = 0


class UsageReported(NamedTuple):
    """The counts so far; a later report replaces an earlier one."""

    usage: Usage


class Finished(NamedTuple):
    """A choice is complete."""

    reason: FinishReason
    choice: int = 0
    stop_sequence: str | None = None


class Failed(NamedTuple):
    """The answer broke off after it had begun; nothing follows."""

    error: GatewayError


Event: TypeAlias = (
    Started
    | TextDelta
    | RefusalDelta
    | ReasoningDelta
    | ToolCallStarted
    | ToolCallDelta
    | UsageReported
    | Finished
    | Failed
)


class Frame(NamedTuple):
    """One message of the backend: what it said, and the message itself for as long as no step has changed it.

    A protocol of the same wire relays `native` (fields that we do not know included), every other renders `events`.
    Steps that change the events hand on a Frame without `native`.
    """

    events: tuple[Event, ...]
    native: Native | None = None


Batch: TypeAlias = list[Frame]
"""The frames that one read brought, so that a burst costs one turn of the event loop and one write."""
