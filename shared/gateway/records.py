"""The ledger's record: one per upstream attempt, never a word of a prompt or an answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from shared.chat.usage import Source

RequestType: TypeAlias = Literal["chat", "completion", "embedding"]
Outcome: TypeAlias = Literal["success", "failed", "truncated", "aborted"]
# success    the backend's answer was complete
# failed     it failed before its first event (another attempt may follow)
# truncated  it broke off after its first event
# aborted    the client left


@dataclass(frozen=True, slots=True)
class Record:
    """One upstream attempt. `time_ms` is when it began (ms since 1970); `status` is what the client was, or would
    have been, told for this attempt (499: the client left); token buckets are disjoint but for reasoning, which is
    part of output."""

    time_ms: int
    request_id: str
    attempt: int
    virtual_model: str
    actual_model: str
    endpoint_id: int
    endpoint_name: str
    endpoint_type: str
    protocol: str
    request_type: RequestType
    stream: bool
    status: int
    outcome: Outcome
    error_code: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    reasoning_tokens: int = 0
    usage_source: Source = "provider"
    time_to_first_token_ms: int | None = None
    total_ms: int = 0
    user_agent: str = ""
    key_id: str = ""  # the client key's, when one was shown
    path: str = ""  # the client's route, without its query
    client_address: str = ""
    price_version: str = ""  # which prices the costs come from; empty: none were set, and the costs are no costs
    input_cost: int = 0  # the costs are in picodollars: a price with six decimals per million tokens is exact in them
    cache_read_cost: int = 0
    cache_write_cost: int = 0
    output_cost: int = 0

    @property
    def tokens(self) -> int:
        """All of them, in and out."""
        cached = self.cache_read_tokens + self.cache_write_5m_tokens + self.cache_write_1h_tokens
        return self.input_tokens + cached + self.output_tokens

    @property
    def cost(self) -> int:
        """All of it, in picodollars."""
        return self.input_cost + self.cache_read_cost + self.cache_write_cost + self.output_cost


class Recorder(Protocol):
    """The ledger's one writer, with two timings (DESIGN §4)."""

    def record(self, record: Record) -> None:
        """Take the record; a long-lived process has it on disk when this returns. Never raises, never blocks on AWS."""
        ...

    async def flush(self) -> None:
        """Called after the client's last byte: on Lambda the record is put into the table here, and is put even if the
        caller is cancelled meanwhile."""
        ...
