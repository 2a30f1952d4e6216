"""What an answer says of itself in its headers, and a request in the log: figures, and never a word of a prompt."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import sys
from decimal import Decimal
from typing import Any

import pytest

from shared.gateway.metering import Caller
from shared.gateway.records import Record
from shared.settings import read_settings
from shared.web.embedded_metrics import OTHER, EmbeddedMetrics
from shared.web.log_lines import REQUEST_ID, JsonLine, TextLine
from shared.web.request_log import log_request, request_fields
from tests.upstreams.script import CUT, Pause, Reply, frames_of, says, streams, text_of
from tests.upstreams.server import Upstream
from tests.web.serving import Asked, serving

PRICES: dict[str, Any] = {
    "cost_per_1m_tokens_in": Decimal("2.50"),
    "cost_per_1m_tokens_in_cached": Decimal("0.25"),
    "cost_per_1m_tokens_out": Decimal("10"),
}
COST = "0.000058"  # 7 × 2.5 + 2 × 0.25 + 4 × 10 microdollars
FRAMES = frames_of("openai/text.sse")
PROMPT = "hello"


async def headers_of(asked: Asked) -> tuple[int, dict[str, str]]:
    status, headers = await asked.head()
    if "content-length" in headers:
        await asked.reader.readexactly(int(headers["content-length"]))
    return status, headers


async def test_a_whole_answer_tells_its_cost_and_what_the_gateway_took(first: Upstream) -> None:
    first.on("actual", Reply((Pause(0.3), text_of("openai/text.json"))))
    async with serving(first.url, **PRICES) as served:
        status, headers = await headers_of(await served.ask(stream=False))
        (record,) = await served.settled()
    assert status == 200
    assert headers["x-gateway-cost-usd"] == COST
    assert headers["x-gateway-endpoint"] == "backend-1"
    assert headers["x-gateway-model"] == "actual"
    assert headers["x-request-id"] == record.request_id
    assert 0 <= float(headers["x-gateway-overhead-ms"]) < 250  # the backend's 300 are not ours
    assert record.total_ms >= 300
    assert record.client_address == "127.0.0.1"
    assert record.path == "/v1/chat/completions"


async def test_a_stream_cannot_know_its_cost(first: Upstream) -> None:
    async with serving(first.url, **PRICES) as served:
        asked = await served.ask()
        _, headers = await asked.head()
        await asked.rest()
        (record,) = await served.settled()
    assert "x-gateway-cost-usd" not in headers
    assert float(headers["x-gateway-overhead-ms"]) >= 0
    assert headers["x-gateway-endpoint"] == "backend-1"
    assert record.cost == 58_000_000


async def test_without_prices_there_is_no_cost(first: Upstream) -> None:
    async with serving(first.url) as served:
        _, headers = await headers_of(await served.ask(stream=False))
    assert "x-gateway-cost-usd" not in headers


async def test_an_error_tells_who_was_asked(first: Upstream) -> None:
    first.on("actual", says({"error": {"message": "no"}}, 400))
    async with serving(first.url, **PRICES) as served:
        status, headers = await headers_of(await served.ask(stream=False))
    assert status == 400
    assert (headers["x-gateway-endpoint"], headers["x-gateway-model"]) == ("backend-1", "actual")
    assert headers["x-gateway-cost-usd"] == "0"
    assert float(headers["x-gateway-overhead-ms"]) >= 0
    assert headers["x-request-id"]


async def test_an_error_of_ours_tells_its_id_and_its_time(first: Upstream) -> None:
    async with serving(first.url) as served:
        status, headers = await headers_of(await served.ask(model="nobody"))
    assert status == 404
    assert headers["x-request-id"]
    assert float(headers["x-gateway-overhead-ms"]) >= 0
    assert "x-gateway-endpoint" not in headers


async def line_of(caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    """The request's one line, as fields."""
    for _ in range(200):
        lines = [each for each in caplog.records if each.name == "gateway.request"]
        if lines:
            break
        await asyncio.sleep(0.005)
    (line,) = lines
    return json.loads(JsonLine().format(line))  # type: ignore[no-any-return]


async def test_a_request_is_one_line(first: Upstream, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with serving(first.url, **PRICES) as served:
        asked = await served.ask()
        _, headers = await asked.head()
        await asked.rest()
        line = await line_of(caplog)
    assert line["request_id"] == headers["x-request-id"]
    expected = {
        "http.request.method": "POST",
        "url.path": "/v1/chat/completions",
        "http.response.status_code": 200,
        "client.address": "127.0.0.1",
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "fast",
        "gen_ai.request.stream": True,
        "gen_ai.response.model": "actual",
        "gen_ai.usage.input_tokens": 9,  # with the 2 from the cache
        "gen_ai.usage.output_tokens": 4,
        "gen_ai.usage.cache_read.input_tokens": 2,
        "gen_ai.usage.cache_creation.input_tokens": 0,
        "gen_ai.usage.reasoning.output_tokens": 1,
        "gateway.endpoint": "backend-1",
        "gateway.outcome": "success",
        "gateway.attempts": 1,
        "gateway.usage_source": "provider",
        "gateway.cost_usd": COST,
    }
    assert {name: line.get(name) for name in expected} == expected
    assert 0 <= line["gen_ai.response.time_to_first_chunk"] < 5
    assert line["level"] == "INFO"
    assert PROMPT not in json.dumps(line, ensure_ascii=False)
    assert "Grüße" not in json.dumps(line, ensure_ascii=False)


@pytest.mark.parametrize(
    ("fields", "status", "outcome"),
    [({"model": "nobody"}, 404, None), ({"messages": 3}, 400, None), ({"stream": True}, 200, "truncated")],
)
async def test_every_ending_is_one_line(
    first: Upstream, caplog: pytest.LogCaptureFixture, fields: dict[str, Any], status: int, outcome: str | None
) -> None:
    caplog.set_level(logging.INFO)
    first.on("actual", streams(*FRAMES[:2], CUT))
    async with serving(first.url) as served:
        asked = await served.ask(**fields)
        _, headers = await asked.head()
        if "content-length" not in headers:
            await asked.rest()
        line = await line_of(caplog)
    assert line["http.response.status_code"] == status
    assert line.get("gateway.outcome") == outcome
    assert line["request_id"] == headers["x-request-id"]


async def test_a_client_that_left_is_in_its_line(first: Upstream, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    first.on("actual", Reply((Pause(30), b"{}")))
    async with serving(first.url) as served:
        asked = await served.ask(stream=False)
        while not first.seen:
            await asyncio.sleep(0.005)
        asked.leave()
        await served.settled()
        line = await line_of(caplog)
    assert (line["http.response.status_code"], line["gateway.outcome"]) == (499, "aborted")
    assert line["error.type"] == "client_closed_request"


def a_record(**fields: Any) -> Record:
    defaults: dict[str, Any] = {
        "time_ms": 1, "request_id": "req_1", "attempt": 1, "virtual_model": "fast", "actual_model": "gpt-x",
        "endpoint_id": 1, "endpoint_name": "backend", "endpoint_type": "openai", "protocol": "openai_chat",
        "request_type": "chat", "stream": True, "status": 200, "outcome": "success", "input_tokens": 10,
        "output_tokens": 5, "price_version": "v", "input_cost": 20_000_000, "time_to_first_token_ms": 120,
    }  # fmt: skip
    return Record(**{**defaults, **fields})


def a_caller(*records: Record, status: int = 200) -> Caller:
    caller = Caller("req_1", path="/v1/chat/completions")
    caller.tally.records.extend(records)
    caller.tally.status = status
    return caller


SCOPE = {"type": "http", "method": "POST"}


def metrics_of(metrics: EmbeddedMetrics, caller: Caller) -> dict[str, Any]:
    return metrics(request_fields("POST", caller, 0.01), caller)


def test_metrics_are_what_cloudwatch_reads() -> None:
    found = metrics_of(EmbeddedMetrics("prod", by_model=True), a_caller(a_record(status=503), a_record()))
    (directive,) = found["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "prod"
    assert directive["Dimensions"] == [[], ["virtual_model"], ["endpoint"]]
    assert (found["virtual_model"], found["endpoint"]) == ("fast", "backend")
    names = {metric["Name"] for metric in directive["Metrics"]}
    assert names == {
        "Requests", "Errors", "InputTokens", "OutputTokens", "Cost", "TimeToFirstToken", "Overhead",
    }  # fmt: skip
    assert all(isinstance(found[name], int | float) for name in names)
    assert (found["Requests"], found["Errors"], found["InputTokens"], found["TimeToFirstToken"]) == (1, 0, 20, 120)
    assert found["Cost"] == 0.00004
    assert isinstance(found["_aws"]["Timestamp"], int)


@pytest.mark.parametrize(
    ("caller", "errors"),
    [
        (a_caller(status=404), 0),
        (a_caller(status=503), 1),
        (a_caller(a_record(outcome="truncated")), 1),
        (a_caller(a_record(outcome="aborted"), status=0), 0),
    ],
)
def test_what_counts_as_an_error(caller: Caller, errors: int) -> None:
    assert metrics_of(EmbeddedMetrics("prod", by_model=True), caller)["Errors"] == errors


def test_what_a_client_made_up_is_no_dimension() -> None:
    found = metrics_of(EmbeddedMetrics("prod", by_model=True), a_caller(status=404))
    assert found["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [[]]
    assert "virtual_model" not in found


def test_dimensions_are_bounded() -> None:
    metrics = EmbeddedMetrics("prod", by_model=True)
    names = [metrics_of(metrics, a_caller(a_record(virtual_model=f"m{n}")))["virtual_model"] for n in range(300)]
    assert len(set(names)) == 201
    assert names[-1] == OTHER
    assert metrics_of(metrics, a_caller(a_record(virtual_model="m7")))["virtual_model"] == "m7"
    total = metrics_of(EmbeddedMetrics("prod", by_model=False), a_caller(a_record()))
    assert total["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [[]]
    odd = metrics_of(EmbeddedMetrics("prod", by_model=True), a_caller(a_record(virtual_model="schnell ⚡" * 200)))
    assert odd["virtual_model"].isascii()
    assert len(odd["virtual_model"]) <= 200


def test_the_requests_id_stands_in_every_line() -> None:
    record = logging.LogRecord("shared.store", logging.WARNING, "", 0, "the table is away", None, None)
    token = REQUEST_ID.set("req_7")
    try:
        assert json.loads(JsonLine().format(record))["request_id"] == "req_7"
        assert TextLine().format(record).endswith("shared.store: the table is away [req_7]")
    finally:
        REQUEST_ID.reset(token)
    assert "request_id" not in json.loads(JsonLine().format(record))


def test_a_line_is_one_line() -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        exception = sys.exc_info()
    record = logging.LogRecord("x", logging.ERROR, "", 0, "it\nfailed", None, exception)
    assert "\n" not in JsonLine().format(record)


def test_a_path_forges_no_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    caller = a_caller()
    object.__setattr__(caller, "path", "/v1/\n[INFO] forged")
    log_request(SCOPE, caller)
    assert TextLine().format(caplog.records[0]).count("\n") == 0


def test_a_record_shows_only_what_may_be_written(caplog: pytest.LogCaptureFixture) -> None:
    """Formatters of others write whatever a record's dict holds."""
    caplog.set_level(logging.INFO)
    log_request(SCOPE, a_caller(a_record()))
    ours = {"request_id", "message", "asctime"}
    known = logging.LogRecord("", 0, "", 0, "", None, None).__dict__.keys() | ours
    assert caplog.records[0].__dict__.keys() <= known


def test_a_quiet_level_costs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    log_request(SCOPE, a_caller(a_record()))
    assert not caplog.records


def test_metrics_are_counted_at_every_level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    caplog.handler.setLevel(logging.NOTSET)
    log_request(SCOPE, a_caller(a_record()), EmbeddedMetrics("gateway", by_model=False))
    assert caplog.records[0].fields["Requests"] == 1  # type: ignore[attr-defined]


def test_the_cloud_writes_json_and_metrics() -> None:
    here, there = read_settings({}), read_settings({"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001"})
    assert (here.log_format, here.metrics) == ("text", "off")
    assert (there.log_format, there.metrics) == ("json", "models")


def test_the_sentence_is_for_people(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    log_request(SCOPE, a_caller(a_record()))
    said = caplog.records[0].getMessage()
    expected = r"POST /v1/chat/completions 200 success: fast at backend/gpt-x, 10 \+ 5 tokens, \$0\.00002, [\d.]+ ms"
    assert re.fullmatch(expected, said)
