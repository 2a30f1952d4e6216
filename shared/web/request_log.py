"""One line per request, after its last byte: what was asked, who answered, what it took. Never a word of either.

Names are OpenTelemetry's for generative AI and HTTP (semantic-conventions-genai, schema gen-ai/1.42.0), which has none
for costs and for what only a gateway knows: those begin with `gateway.`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from functools import cached_property

from shared.gateway.metering import CLIENT_CLOSED, Caller
from shared.gateway.pricing import dollars
from shared.gateway.records import Record, RequestType
from shared.web.asgi import Scope
from shared.wire import JsonObject

log = logging.getLogger("gateway.request")

Metrics = Callable[[JsonObject, Caller], JsonObject]
"""What a line carries besides for whoever counts: given the line's fields and the caller, more fields."""

_OPERATIONS: Mapping[RequestType, str] = {"chat": "chat", "completion": "text_completion", "embedding": "embeddings"}


def log_request(scope: Scope, caller: Caller, metrics: Metrics | None = None) -> None:
    """Write the line, when anybody wants lines of this level, or counts by them."""
    if metrics is None and not log.isEnabledFor(logging.INFO):
        return
    log.handle(_RequestRecord(scope["method"], caller, metrics))


class _RequestRecord(logging.LogRecord):
    """Its `fields` are for machines, its words for people; of both only what is read is made.

    What they are made of is in slots: formatters of others, as Lambda's own, write all that is in a record's dict.
    """

    __slots__ = ("_caller", "_method", "_metrics", "_seconds")

    def __init__(self, method: str, caller: Caller, metrics: Metrics | None) -> None:
        now = time.time()
        self.__dict__.update(_EVERY, created=now, msecs=int(now % 1 * 1_000), request_id=caller.request_id)
        self._method = method
        self._caller = caller
        self._metrics = metrics
        self._seconds = time.monotonic() - caller.begun

    @cached_property
    def fields(self) -> JsonObject:
        fields = request_fields(self._method, self._caller, self._seconds)
        if self._metrics is not None:
            fields |= self._metrics(fields, self._caller)
        return fields

    def getMessage(self) -> str:
        return _sentence(self._method, self._caller, self._seconds)


# what every such record has; to find it out takes a third of a record's time
_EVERY = logging.LogRecord(log.name, logging.INFO, __file__, 0, "", None, None).__dict__


def request_fields(method: str, caller: Caller, seconds: float) -> JsonObject:
    """`seconds` is how long it took in all."""
    tally = caller.tally
    fields: JsonObject = {
        "http.request.method": method,
        "url.path": caller.path[:200],
        "http.response.status_code": tally.status or CLIENT_CLOSED,
        "client.address": caller.client_address[:64],
        "user_agent.original": caller.user_agent[:200],
        "gateway.duration_ms": round(seconds * 1_000, 1),
        "gateway.overhead_ms": round(max(0.0, seconds - tally.waited_seconds) * 1_000, 1),
    }
    if caller.key_id:
        fields["gateway.key_id"] = caller.key_id
    if tally.records:
        fields |= _answer_fields(tally.records)
    return fields


def _answer_fields(records: list[Record]) -> JsonObject:
    """The last attempt's words, and the sums of all attempts. Input includes what caches served and took, as the
    conventions have it."""
    last = records[-1]
    fresh = output = read = written = reasoning = cost = 0
    for each in records:
        fresh += each.input_tokens
        output += each.output_tokens
        read += each.cache_read_tokens
        written += each.cache_write_5m_tokens + each.cache_write_1h_tokens
        reasoning += each.reasoning_tokens
        cost += each.cost
    fields: JsonObject = {
        "gen_ai.operation.name": _OPERATIONS[last.request_type],
        "gen_ai.provider.name": last.endpoint_type,
        "gen_ai.request.model": last.virtual_model,
        "gen_ai.request.stream": last.stream,
        "gen_ai.response.model": last.actual_model,
        "gen_ai.usage.input_tokens": fresh + read + written,
        "gen_ai.usage.output_tokens": output,
        "gen_ai.usage.cache_read.input_tokens": read,
        "gen_ai.usage.cache_creation.input_tokens": written,
        "gen_ai.usage.reasoning.output_tokens": reasoning,
        "gateway.usage_source": last.usage_source,
        "gateway.protocol": last.protocol,
        "gateway.endpoint": last.endpoint_name,
        "gateway.outcome": last.outcome,
        "gateway.attempts": len(records),
    }
    if last.time_to_first_token_ms is not None:
        fields["gen_ai.response.time_to_first_chunk"] = last.time_to_first_token_ms / 1_000
    if last.error_code:
        fields["error.type"] = last.error_code
    if last.price_version:
        fields["gateway.price_version"] = last.price_version
        fields["gateway.cost_usd"] = dollars(cost)
    return fields


def _sentence(method: str, caller: Caller, seconds: float) -> str:
    path, tally = caller.path[:200], caller.tally
    if not path.isprintable():
        path = "".join(letter if letter.isprintable() else "?" for letter in path)
    said = f"{method} {path} {tally.status or CLIENT_CLOSED}"
    if records := tally.records:
        last = records[-1]
        spent = sum(each.tokens - each.output_tokens for each in records)
        tokens = f"{spent} + {sum(each.output_tokens for each in records)} tokens"
        cost = f", ${dollars(sum(each.cost for each in records))}" if last.price_version else ""
        where = f"{last.endpoint_name}/{last.actual_model}"
        said += f" {last.outcome}: {last.virtual_model} at {where}, {tokens}{cost}"
    return f"{said}, {round(seconds * 1_000, 1)} ms"
