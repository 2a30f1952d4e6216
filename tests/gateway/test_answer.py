"""What the gateway hands to adapters, and what it notes of endpoints."""

from __future__ import annotations

import pytest

from shared.errors import GatewayError, UpstreamTimedOut
from shared.gateway.metering import Caller
from shared.protocols.openai_chat.parse import parse
from shared.protocols.openai_embeddings import parse as parse_embedding
from shared.providers.base import Endpoint
from tests.gateway.pieces import Kept, a_catalog, a_gateway
from tests.providers.loopback import Answer, loopback

HELLO = parse({"model": "fast", "messages": [{"role": "user", "content": "hi"}]})


async def test_an_endpoints_own_patience_replaces_the_general_one() -> None:
    async with loopback() as server:
        server.on("POST", "/v1/chat/completions", Answer({}, delay_seconds=1.5))
        kept = Kept()
        hasty = Endpoint(1, "hasty", "openai", server.url, options={"timeout_seconds": 0.05})
        gateway, client = a_gateway(a_catalog(hasty), kept)
        with pytest.raises(UpstreamTimedOut):
            await gateway.answer(HELLO, Caller("req_1"))
        await client.aclose()
    assert kept.records[0].total_ms < 1_000


@pytest.mark.parametrize(
    ("status", "ok"), [(400, True), (404, True), (401, False), (403, False), (429, False), (500, False)]
)
async def test_an_endpoint_is_ill_when_it_fails_and_not_when_it_refuses_a_bad_request(status: int, ok: bool) -> None:
    async with loopback() as server:
        server.on("POST", "/v1/chat/completions", Answer({"error": {"message": "no"}}, status=status))
        kept = Kept()
        gateway, client = a_gateway(a_catalog(Endpoint(1, "one", "openai", server.url)), kept)
        with pytest.raises(GatewayError):
            await gateway.answer(HELLO, Caller("req_1"))
        await client.aclose()
    assert [(number, well) for number, well, _ in kept.notes] == [(1, ok)]
    assert kept.records[0].outcome == "failed"


async def test_clients_are_told_the_endpoints_name_and_not_its_address(caplog: pytest.LogCaptureFixture) -> None:
    kept = Kept()
    gateway, client = a_gateway(a_catalog(Endpoint(1, "inner", "openai", "http://127.0.0.1:9/v1")), kept)
    with pytest.raises(GatewayError) as failure:
        await gateway.answer(HELLO, Caller("req_1"))
    with pytest.raises(GatewayError) as unembedded:
        await gateway.embed(parse_embedding({"model": "fast", "input": "x"}), Caller("req_2"))
    await client.aclose()
    for error in (failure.value, unembedded.value):
        assert error.message == "no connection to endpoint 'inner': connection refused"
    assert "endpoint 'inner': no connection to 127.0.0.1:9: connection refused" in caplog.text
