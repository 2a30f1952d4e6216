"""Watches one upstream attempt and turns what it saw into one record."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from itertools import pairwise

from shared.chat.events import (
    Batch,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from shared.chat.request import ChatRequest, EmbeddingRequest
from shared.chat.usage import Source, Usage
from shared.errors import GatewayError, UpstreamTimedOut
from shared.gateway.catalog import VirtualModel
from shared.gateway.limits import UNLIMITED, Lease, Limits
from shared.gateway.pricing import costs_of
from shared.gateway.records import Outcome, Record, Recorder, RequestType
from shared.gateway.routing import Stop
from shared.gateway.tokens import estimate_input, estimate_texts

CLIENT_CLOSED = 499
_USER_AGENT_CHARS = 200
_PATH_CHARS = 200
_ADDRESS_CHARS = 64
_THOUGHT, _SAID, _CALLED = 0, 1, 2  # a call's number is added; what belongs together is counted in a row
_VOICES_PER_CHOICE = 1 << 16
_MOST_KEPT_CHARS = 1 << 20  # of an answer, for an estimate; what lies behind is taken to be like it
_CHARS_PER_TOKEN = 4  # of a piece longer than that, which is not kept at all


@dataclass(slots=True)
class Tally:
    """What a request has come to: the records of its attempts, the seconds spent waiting for backends, the
    status that the client was told (0: none yet), and what it holds of its key's limits."""

    records: list[Record] = field(default_factory=list)
    waited_seconds: float = 0.0
    status: int = 0
    lease: Lease | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, as far as the ledger may know, and until when an answer is of use."""

    request_id: str
    user_agent: str = ""
    deadline: float | None = None  # on the monotonic clock: when the platform's patience ends
    key_id: str = ""  # the client key's, when one was shown
    path: str = ""
    client_address: str = ""
    begun: float = field(default_factory=time.monotonic)
    tally: Tally = field(default_factory=Tally)
    limits: Limits = UNLIMITED  # of the client's key


class Meter:
    """Opened when an attempt begins, closed exactly once in whichever way it ends; closing writes the record.

    The answer's texts are held while it lasts, because only its end tells whether the backend has counted them.
    """

    __slots__ = (
        "_attempt", "_caller", "_chars", "_closed", "_first", "_prices", "_recorder", "_reported_chars",
        "_reported_texts", "_request", "_started", "_stop", "_texts", "_time_ms", "_turns", "_virtual_model",
        "_voice", "usage",
    )  # fmt: skip

    def __init__(
        self,
        recorder: Recorder,
        request: ChatRequest | EmbeddingRequest,
        stop: Stop,
        caller: Caller,
        attempt: int,
        model: VirtualModel,
    ) -> None:
        self._recorder = recorder
        self._request = request
        self._virtual_model = model.name
        self._stop = stop
        self._caller = caller
        self._attempt = attempt
        self._prices = model.prices
        self._started = time.monotonic()
        self._time_ms = time.time_ns() // 1_000_000
        self._first: float | None = None
        self._texts: list[str] = []
        self._voice = -1  # whose the last text is: a choice's thoughts, its words, or one of its calls
        self._turns: list[tuple[int, int]] = []  # how many texts were there when it became another's, and whose
        self._chars = 0
        self._reported_chars = 0  # that had arrived when the backend last reported its usage
        self._reported_texts = 0
        self._closed = False
        self.usage: Usage | None = None

    def see(self, batch: Batch) -> None:
        """Note what has arrived."""
        for frame in batch:
            reported = False
            for event in frame.events:
                kind = type(event)
                if kind is TextDelta or kind is RefusalDelta:
                    text = event.text  # type: ignore[union-attr]
                    voice = _SAID
                elif kind is ReasoningDelta:
                    text = event.text  # type: ignore[union-attr]
                    voice = _THOUGHT
                elif kind is ToolCallDelta:
                    text = event.arguments  # type: ignore[union-attr]
                    voice = _CALLED + event.call  # type: ignore[union-attr]
                elif kind is ToolCallStarted:
                    text = event.name  # type: ignore[union-attr]
                    voice = _CALLED + event.call  # type: ignore[union-attr]
                elif kind is UsageReported:
                    self.usage = event.usage  # type: ignore[union-attr]
                    reported = True
                    continue
                else:
                    continue
                self._chars += len(text)
                if self._chars <= _MOST_KEPT_CHARS:
                    voice += event.choice * _VOICES_PER_CHOICE  # type: ignore[union-attr]
                    if voice != self._voice:
                        self._voice = voice
                        self._turns.append((len(self._texts), voice))
                    self._texts.append(text)
                if self._first is None:
                    self._first = time.monotonic()
            if reported:
                self._reported_chars, self._reported_texts = self._chars, len(self._texts)

    def succeed(self) -> Usage:
        """The answer is complete; returns its usage, with estimates for what the backend did not report."""
        usage = self._counted("estimated")
        self._close("success", 200, None, usage)
        return usage

    def fail(self, error: GatewayError) -> None:
        """The attempt failed: truncated when something had arrived already."""
        begun = self._first is not None
        usage = self._counted("partial") if begun else self.usage or Usage()
        self._close("truncated" if begun else "failed", error.status, error.code, usage)

    def abort(self) -> None:
        """The client has left, or the deadline has come; does nothing when the attempt is closed already."""
        if self._closed:
            return
        deadline = self._caller.deadline
        if deadline is not None and time.monotonic() >= deadline:
            self.fail(UpstreamTimedOut("the deadline of the platform came first"))
        else:
            self._close("aborted", CLIENT_CLOSED, "client_closed_request", self._counted("partial"))

    def _counted(self, source: Source) -> Usage:
        """The backend's counts; what they leave out is estimated, and then they are of this `source`.

        Left out is everything without a report, the text behind the last one (Anthropic counts at the beginning and at
        the end), and a bucket of which only zero was reported although there was a prompt, or an answer.
        """
        usage = self.usage
        if usage is None:
            output, thought = self._estimate_behind(0, 0)
            return Usage(self._estimate_input(), output, reasoning_tokens=thought, source=source)
        output = usage.output_tokens
        if not output:
            output, _ = self._estimate_behind(0, 0)
        elif self._chars > self._reported_chars:
            output += self._estimate_behind(self._reported_texts, self._reported_chars)[0]
        fresh = usage.input_tokens if usage.prompt_tokens else self._estimate_input()
        if (fresh, output) == (usage.input_tokens, usage.output_tokens):
            return usage
        return usage._replace(input_tokens=fresh, output_tokens=output, source=source)

    def _estimate_input(self) -> int:
        return estimate_input(self._request, self._stop.actual_model)

    def _estimate_behind(self, text: int, chars: int) -> tuple[int, int]:
        """The tokens of what arrived behind so many texts and characters, and those of thoughts among them."""
        deltas: dict[int, list[str]] = {}
        for (begin, voice), (end, _) in pairwise([*self._turns, (len(self._texts), -1)]):
            deltas.setdefault(voice, []).extend(self._texts[max(begin, text) : end])
        words: tuple[list[str], list[str]] = ([], [])
        for voice, parts in deltas.items():
            words[voice % _VOICES_PER_CHOICE == _THOUGHT].append("".join(parts))
        said, thought = (estimate_texts(texts, self._stop.actual_model) for texts in words)
        kept = sum(len(each) for texts in words for each in texts)
        behind = self._chars - chars
        if not kept:
            return -(-behind // _CHARS_PER_TOKEN), 0
        return round((said + thought) * behind / kept), round(thought * behind / kept)

    def _close(self, outcome: Outcome, status: int, code: str | None, usage: Usage) -> None:
        if self._closed:
            return
        self._closed = True
        request, stop, caller = self._request, self._stop, self._caller
        now = time.monotonic()
        first = self._first
        costs = costs_of(usage, self._prices)
        record = Record(
            time_ms=self._time_ms,
            request_id=caller.request_id,
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
            user_agent=caller.user_agent[:_USER_AGENT_CHARS],
            key_id=caller.key_id,
            path=caller.path[:_PATH_CHARS],
            client_address=caller.client_address[:_ADDRESS_CHARS],
            price_version=costs.version,
            input_cost=costs.input,
            cache_read_cost=costs.cache_read,
            cache_write_cost=costs.cache_write,
            output_cost=costs.output,
        )
        caller.tally.records.append(record)
        self._recorder.record(record)


def _request_type(request: ChatRequest | EmbeddingRequest) -> RequestType:
    if isinstance(request, EmbeddingRequest):
        return "embedding"
    return "completion" if request.prompts else "chat"
