"""One line per request, after its last byte: what was asked, who answered, what it took. Never a word of either.

Names are OpenTelemetry's for generative AI and HTTP (semantic-conventions-genai, schema gen-ai/1.42.0), which has none
for costs and for what only a gateway knows: those begin with `gateway.`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping

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
    fields = request_fields(scope, caller)
    if metrics is not None:
        fields |= metrics(fields, caller)
    record = logging.LogRecord(log.name, logging.INFO, __file__, 0, _Sentence(fields), None, None)
    record.__dict__.update(request_id=caller.request_id, fields=fields)
    log.handle(record)


def request_fields(scope: Scope, caller: Caller) -> JsonObject:
    tally = caller.tally
    seconds = time.monotonic() - caller.begun
    fields: JsonObject = {
        "http.request.method": scope["method"],
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


class _Sentence:
    """The same for people; made only when somebody reads it."""

    def __init__(self, fields: JsonObject) -> None:
        self._fields = fields

    def __str__(self) -> str:
        return _sentence(self._fields)


def _sentence(fields: JsonObject) -> str:
    path = fields["url.path"]
    if not path.isprintable():
        path = "".join(letter if letter.isprintable() else "?" for letter in path)
    said = f"{fields['http.request.method']} {path} {fields['http.response.status_code']}"
    if "gateway.outcome" in fields:
        tokens = f"{fields['gen_ai.usage.input_tokens']} + {fields['gen_ai.usage.output_tokens']} tokens"
        cost = f", ${fields['gateway.cost_usd']}" if "gateway.cost_usd" in fields else ""
        where = f"{fields['gateway.endpoint']}/{fields['gen_ai.response.model']}"
        said += f" {fields['gateway.outcome']}: {fields['gen_ai.request.model']} at {where}, {tokens}{cost}"
    return f"{said}, {fields['gateway.duration_ms']} ms"
