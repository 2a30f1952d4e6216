"""Recorded usage blocks of every provider, whole and streamed, into the same buckets and to the same cent."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, NamedTuple

import pytest

from shared.chat.events import UsageReported
from shared.chat.usage import Usage
from shared.errors import UpstreamCut, UpstreamRefused
from shared.gateway.answer import Answer as GatewayAnswer
from shared.gateway.metering import Caller
from shared.gateway.pricing import dollars
from shared.gateway.records import Record
from shared.protocols.openai_chat.parse import parse
from shared.protocols.openai_embeddings import parse as parse_embedding
from shared.providers.base import Endpoint
from shared.providers.registry import TYPES
from tests.gateway.pieces import Kept, a_catalog, a_gateway
from tests.gateway.usage_wires import SSE, WIRES, events, message_start, text_block
from tests.providers.loopback import Answer, Loopback, loopback
from tests.upstreams.script import HANG, Reply, says
from tests.upstreams.server import Upstream

# dollars per million tokens: as many microdollars a token
PRICES: dict[str, Any] = {
    "cost_per_1m_tokens_in": Decimal("2.50"),
    "cost_per_1m_tokens_in_cached": Decimal("0.25"),
    "cost_per_1m_tokens_cache_write_5m": Decimal("3.125"),
    "cost_per_1m_tokens_cache_write_1h": Decimal("5"),
    "cost_per_1m_tokens_out": Decimal("10"),
}


class Recorded(NamedTuple):
    type: str
    block: dict[str, Any]
    usage: Usage
    cost: str  # dollars, worked by hand in microdollars beside it


RECORDED: dict[str, Recorded] = {
    "OpenAI: cached, reasoning": Recorded(
        "openai",
        {
            "prompt_tokens": 2006, "completion_tokens": 300, "total_tokens": 2306,
            "prompt_tokens_details": {"cached_tokens": 1920, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 256, "accepted_prediction_tokens": 0},
        },
        Usage(86, 300, 1920, reasoning_tokens=256),
        "0.003695",  # 86 × 2.5 = 215; 1920 × 0.25 = 480; 300 × 10 = 3000: the reasoning is in the 300
    ),
    "OpenAI: cache written": Recorded(
        "openai",
        {
            "prompt_tokens": 2006, "completion_tokens": 100, "total_tokens": 2106,
            "prompt_tokens_details": {"cached_tokens": 1000, "cache_write_tokens": 800},
        },
        Usage(206, 100, 1000, 800),
        "0.004265",  # 206 × 2.5 = 515; 1000 × 0.25 = 250; 800 × 3.125 = 2500; 100 × 10 = 1000
    ),
    "DeepInfra": Recorded(
        "deepinfra",
        {
            "prompt_tokens": 1000, "completion_tokens": 50, "total_tokens": 1050, "estimated_cost": 0.000312,
            "prompt_tokens_details": {"cached_tokens": 400},
        },
        Usage(600, 50, 400),
        "0.0021",  # 600 × 2.5 = 1500; 400 × 0.25 = 100; 50 × 10 = 500
    ),
    "Together": Recorded(
        "together",
        {"prompt_tokens": 31, "completion_tokens": 12, "total_tokens": 43, "cached_tokens": 16},
        Usage(15, 12, 16),
        "0.0001615",  # 15 × 2.5 = 37.5; 16 × 0.25 = 4; 12 × 10 = 120
    ),
    "vLLM": Recorded(
        "vllm",
        {
            "prompt_tokens": 120, "total_tokens": 160, "completion_tokens": 40,
            "prompt_tokens_details": {"cached_tokens": 112},
        },
        Usage(8, 40, 112),
        "0.000448",  # 8 × 2.5 = 20; 112 × 0.25 = 28; 40 × 10 = 400
    ),
    "vLLM without a prefix cache": Recorded(
        "vllm",
        {"prompt_tokens": 7, "total_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": None},
        Usage(7, 2),
        "0.0000375",  # 7 × 2.5 = 17.5; 2 × 10 = 20
    ),
    "llama.cpp": Recorded(
        "openai",
        {
            "completion_tokens": 8, "prompt_tokens": 21, "total_tokens": 29,
            "prompt_tokens_details": {"cached_tokens": 20},
        },
        Usage(1, 8, 20),
        "0.0000875",  # 1 × 2.5 = 2.5; 20 × 0.25 = 5; 8 × 10 = 80
    ),
    "OpenWebUI": Recorded(
        "openwebui",
        {
            "response_token/s": 42.1, "total_duration": 4883583458, "prompt_eval_count": 26, "eval_count": 7,
            "prompt_tokens": 26, "completion_tokens": 7, "total_tokens": 33,
        },
        Usage(26, 7),
        "0.000135",  # 26 × 2.5 = 65; 7 × 10 = 70
    ),
    "DeepSeek": Recorded(
        "openai",
        {
            "prompt_tokens": 1000, "completion_tokens": 20, "total_tokens": 1020,
            "prompt_cache_hit_tokens": 900, "prompt_cache_miss_tokens": 100,
        },
        Usage(100, 20, 900),
        "0.000675",  # 100 × 2.5 = 250; 900 × 0.25 = 225; 20 × 10 = 200
    ),
    "LiteLLM before Anthropic": Recorded(
        "openai",
        {
            "prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110,
            "cache_read_input_tokens": 40, "cache_creation_input_tokens": 50,
        },
        Usage(10, 10, 40, 50),
        "0.00029125",  # 10 × 2.5 = 25; 40 × 0.25 = 10; 50 × 3.125 = 156.25; 10 × 10 = 100
    ),
    "Anthropic: both caches": Recorded(
        "anthropic",
        {
            "input_tokens": 4, "cache_creation_input_tokens": 900, "cache_read_input_tokens": 12000,
            "cache_creation": {"ephemeral_5m_input_tokens": 600, "ephemeral_1h_input_tokens": 300},
            "output_tokens": 5, "service_tier": "standard",
        },
        Usage(4, 5, 12000, 600, 300),
        "0.006435",  # 4 × 2.5 = 10; 12000 × 0.25 = 3000; 600 × 3.125 = 1875; 300 × 5 = 1500; 5 × 10 = 50
    ),
    "Anthropic without a breakdown": Recorded(
        "anthropic",
        {
            "input_tokens": 25, "cache_creation_input_tokens": 100, "cache_read_input_tokens": 0,
            "output_tokens": 15,
        },
        Usage(25, 15, 0, 100),
        "0.000525",  # 25 × 2.5 = 62.5; 100 × 3.125 = 312.5; 15 × 10 = 150
    ),
    "Ollama": Recorded(
        "ollama",
        {"total_duration": 4883583458, "load_duration": 1334875, "prompt_eval_count": 26, "eval_count": 7},
        Usage(26, 7),
        "0.000135",  # 26 × 2.5 = 65; 7 × 10 = 70
    ),
    "RunPod, native": Recorded(
        "runpod",
        {"input": 12, "output": 5},
        Usage(12, 5),
        "0.00008",  # 12 × 2.5 = 30; 5 × 10 = 50
    ),
    "queue": Recorded(
        "queue",
        {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
        Usage(3, 2),
        "0.0000275",  # 3 × 2.5 = 7.5; 2 × 10 = 20
    ),
}  # fmt: skip


def usage_of(record: Record) -> Usage:
    return Usage(
        record.input_tokens,
        record.output_tokens,
        record.cache_read_tokens,
        record.cache_write_5m_tokens,
        record.cache_write_1h_tokens,
        record.reasoning_tokens,
        record.usage_source,
    )


async def ask(
    server: Loopback, type: str, *, stream: bool, leave: bool = False, **prices: Any
) -> tuple[Record, Usage | None]:
    """The record of one answer that was read to its end, or left after its first batch; and the usage it told of."""
    wire, kept = WIRES[type], Kept()
    endpoint = Endpoint(1, "one", type, server.url + wire.base, options=dict(wire.options))
    gateway, client = a_gateway(a_catalog(endpoint, **(prices or PRICES)), kept)
    request = parse({"model": "fast", "messages": [{"role": "user", "content": "hi"}], "stream": stream})
    answer: GatewayAnswer = await gateway.answer(request, Caller("req_1"))
    told: Usage | None = None
    try:
        while (batch := await answer.next()) is not None:
            for frame in batch:
                told = next((each.usage for each in frame.events if isinstance(each, UsageReported)), told)
            if leave:
                break
    finally:
        await answer.aclose()
        await client.aclose()
    (record,) = kept.records
    return record, told


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("name", RECORDED)
async def test_every_block_comes_to_its_buckets_and_its_cost(name: str, stream: bool) -> None:
    recorded = RECORDED[name]
    async with loopback() as server:
        WIRES[recorded.type].lay_out(server, recorded.block)
        record, told = await ask(server, recorded.type, stream=stream)
    assert usage_of(record) == recorded.usage == told
    assert dollars(record.cost) == recorded.cost
    assert record.price_version
    assert (record.outcome, record.usage_source) == ("success", "provider")


def test_every_type_that_counts_is_recorded() -> None:
    assert {each.type for each in RECORDED.values()} == set(TYPES) - {"demo"}


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("type", ["openai", "ollama", "queue"])
async def test_an_answer_without_a_count_is_estimated_and_priced(type: str, stream: bool) -> None:
    async with loopback() as server:
        WIRES[type].lay_out(server, {})
        record, told = await ask(server, type, stream=stream)
    assert told == usage_of(record)
    assert (record.usage_source, record.outcome) == ("estimated", "success")
    assert record.input_tokens == 1  # hi
    assert record.output_tokens == 2  # Hello there
    assert record.cost == record.input_tokens * 2_500_000 + record.output_tokens * 10_000_000


async def test_a_prompt_from_ollamas_cache_is_estimated_and_its_answer_is_not() -> None:
    async with loopback() as server:
        WIRES["ollama"].lay_out(server, {"eval_count": 7})
        record, told = await ask(server, "ollama", stream=True)
    assert usage_of(record) == Usage(1, 7, source="estimated") == told


@pytest.mark.parametrize("count", [-1, True, "12", None, 10**9, 1e308, [1]])
async def test_what_is_no_count_is_not_believed(count: Any) -> None:
    async with loopback() as server:
        WIRES["openai"].lay_out(server, {"prompt_tokens": count, "completion_tokens": count})
        record, _ = await ask(server, "openai", stream=False)
    assert record.usage_source == "estimated"
    assert 0 < record.cost < 10**9


async def test_an_answer_whose_prompt_alone_was_counted_is_estimated() -> None:
    async with loopback() as server:
        WIRES["openai"].lay_out(server, {"prompt_tokens": 40, "completion_tokens": 0, "total_tokens": 40})
        record, _ = await ask(server, "openai", stream=True)
    assert record.input_tokens == 40
    assert record.output_tokens == 2
    assert record.usage_source == "estimated"


async def test_a_client_that_leaves_anthropic_is_charged_what_was_produced() -> None:
    """Anthropic counts at the beginning and at the end; what came between is estimated on top of the first count."""
    long = "word " * 400
    block = RECORDED["Anthropic: both caches"].block
    async with loopback() as server:
        body = events(message_start(block), *text_block(long), named=True)
        server.on("POST", "/v1/messages", Answer(pieces=(body,), content_type=SSE, hold=True))
        record, _ = await ask(server, "anthropic", stream=True, leave=True)
    assert (record.outcome, record.status, record.usage_source) == ("aborted", 499, "partial")
    assert usage_of(record)[0] == 4
    assert usage_of(record)[2:5] == (12000, 600, 300)
    assert record.output_tokens == 1 + 401  # counted at the beginning, and "word " 400 times
    assert record.output_cost == record.output_tokens * 10_000_000


async def test_a_client_that_leaves_openai_is_charged_an_estimate() -> None:
    chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    body = events({**chunk, "choices": [{"index": 0, "delta": {"role": "assistant", "content": "word " * 400}}]})
    async with loopback() as server:
        server.on("POST", "/v1/chat/completions", Answer(pieces=(body,), content_type=SSE, hold=True))
        record, _ = await ask(server, "openai", stream=True, leave=True)
    assert (record.outcome, record.usage_source) == ("aborted", "partial")
    assert record.output_tokens == 401
    assert record.cost == 2_500_000 + 401 * 10_000_000


async def test_a_stream_that_breaks_off_is_charged_what_arrived() -> None:
    chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    said = {"index": 0, "delta": {"role": "assistant", "content": "word " * 400}}
    async with loopback() as server:
        counted = {**chunk, "choices": [said], "usage": {"prompt_tokens": 9, "completion_tokens": 401}}
        more = {**chunk, "choices": [{"index": 0, "delta": {"content": " and more"}}]}
        body = events(counted, more)
        server.on("POST", "/v1/chat/completions", Answer(pieces=(body,), content_type=SSE))
        kept = Kept()
        gateway, client = a_gateway(a_catalog(Endpoint(1, "one", "openai", server.url), **PRICES), kept)
        request = parse({"model": "fast", "messages": [{"role": "user", "content": "hi"}], "stream": True})
        answer = await gateway.answer(request, Caller("req_1"))
        with pytest.raises(UpstreamCut):
            while await answer.next() is not None:
                pass
        await answer.aclose()
        await client.aclose()
    (record,) = kept.records
    assert record.outcome == "truncated"
    assert record.input_tokens == 9
    assert record.output_tokens == 401 + 2  # counted, and " and more"
    assert record.usage_source == "partial"


async def test_without_prices_nothing_is_charged() -> None:
    async with loopback() as server:
        WIRES["openai"].lay_out(server, RECORDED["vLLM"].block)
        record, _ = await ask(server, "openai", stream=True, description="unpriced")
    assert (record.price_version, record.cost, record.input_tokens) == ("", 0, 8)


async def test_a_failed_attempt_is_priced_at_nothing_and_the_next_at_its_own_usage() -> None:
    async with loopback() as server, loopback() as other:
        server.on("POST", "/v1/chat/completions", Answer({"error": {"message": "busy"}}, status=503))
        WIRES["openai"].lay_out(other, RECORDED["vLLM"].block)
        kept = Kept()
        first = Endpoint(1, "one", "openai", server.url, priority=2)
        gateway, client = a_gateway(a_catalog(first, Endpoint(2, "two", "openai", other.url), **PRICES), kept)
        caller = Caller("req_1", path="/v1/chat/completions", client_address="203.0.113.9")
        answer = await gateway.answer(parse({"model": "fast", "messages": [{"role": "user", "content": "hi"}]}), caller)
        while await answer.next() is not None:
            pass
        await answer.aclose()
        await client.aclose()
    assert [(each.outcome, dollars(each.cost)) for each in kept.records] == [("failed", "0"), ("success", "0.000448")]
    assert {each.price_version for each in kept.records} == {kept.records[0].price_version} != {""}
    assert {(each.path, each.client_address) for each in kept.records} == {("/v1/chat/completions", "203.0.113.9")}
    assert caller.tally.records == kept.records


async def test_embeddings_are_priced_by_their_input() -> None:
    async with loopback() as server:
        row = {"index": 0, "embedding": [1.0, 0.0]}
        usage = {"prompt_tokens": 8, "total_tokens": 8}
        server.on("POST", "/v1/embeddings", Answer({"data": [row], "usage": usage}))
        kept = Kept()
        gateway, client = a_gateway(a_catalog(Endpoint(1, "one", "openai", server.url), **PRICES), kept)
        await gateway.embed(parse_embedding({"model": "fast", "input": "x"}), Caller("req_1"))
        await client.aclose()
    (record,) = kept.records
    assert (record.input_tokens, record.output_tokens, dollars(record.cost)) == (8, 0, "0.00002")  # 8 × 2.5


async def test_a_price_change_does_not_reach_into_a_request_that_has_begun() -> None:
    async with loopback() as server:
        WIRES["openai"].lay_out(server, RECORDED["vLLM"].block)
        kept = Kept()
        endpoint = Endpoint(1, "one", "openai", server.url)
        gateway, client = a_gateway(a_catalog(endpoint, **PRICES), kept)
        request = parse({"model": "fast", "messages": [{"role": "user", "content": "hi"}]})
        answer = await gateway.answer(request, Caller("req_1"))
        gateway.catalog.catalog = a_catalog(endpoint, cost_per_1m_tokens_in=Decimal(1))  # type: ignore[attr-defined]
        while await answer.next() is not None:
            pass
        await answer.aclose()
        later = await gateway.answer(request, Caller("req_2"))
        while await later.next() is not None:
            pass
        await later.aclose()
        await client.aclose()
    assert [dollars(each.cost) for each in kept.records] == ["0.000448", "0.00016"]  # 160 tokens at 1
    assert kept.records[0].price_version != kept.records[1].price_version


async def test_choices_asked_one_by_one_are_charged_one_by_one() -> None:
    """Ollama serves one choice at a time: two attempts, each with its own count, and the client is told the sum."""
    async with loopback() as server:
        WIRES["ollama"].lay_out(server, RECORDED["Ollama"].block)
        kept = Kept()
        gateway, client = a_gateway(a_catalog(Endpoint(1, "one", "ollama", server.url), **PRICES), kept)
        request = parse({"model": "fast", "messages": [{"role": "user", "content": "hi"}], "n": 2})
        answer = await gateway.answer(request, Caller("req_1"))
        told: Usage | None = None
        while (batch := await answer.next()) is not None:
            for frame in batch:
                told = next((each.usage for each in frame.events if isinstance(each, UsageReported)), told)
        await answer.aclose()
        await client.aclose()
    assert [dollars(each.cost) for each in kept.records] == ["0.000135", "0.000135"]
    assert len({each.attempt for each in kept.records}) == 2
    assert told == Usage(52, 14)


async def test_choices_given_up_for_anothers_failure_are_nobodys_leaving() -> None:
    kept = Kept()
    with Upstream(lambda seen: Reply(before=(HANG,))) as server:
        server.on("actual", Reply(before=(HANG,)), says({"error": "broken"}, 500))
        gateway, client = a_gateway(a_catalog(Endpoint(1, "one", "ollama", server.url), **PRICES), kept)
        request = parse({"model": "fast", "messages": [{"role": "user", "content": "hi"}], "n": 3})
        with pytest.raises(UpstreamRefused):
            await gateway.answer(request, Caller("req_1"))
        await client.aclose()
    assert len({each.attempt for each in kept.records}) == len(kept.records) == 3
    assert {(each.outcome, each.error_code, each.cost) for each in kept.records} == {("failed", "upstream_error", 0)}
