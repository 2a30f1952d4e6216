"""Endpoints that come from the environment: the queue in front of everything, and one RunPod endpoint."""

from __future__ import annotations

import pytest

from shared.chat.response import Response
from shared.errors import GatewayError
from shared.gateway.metering import Caller
from shared.protocols.openai_chat.parse import parse
from shared.providers.base import Endpoint
from shared.settings import read_settings
from shared.store.seal import Kind, RevealedKeys
from shared.web.wiring import (
    QUEUE_ID,
    RUNPOD_ID,
    EndpointKeys,
    EnvironmentCatalog,
    queue_endpoint,
    runpod_endpoint,
)
from tests.gateway.pieces import FixedCatalog, Kept, a_catalog, a_gateway
from tests.providers.loopback import Answer, loopback

COMPLETION = {"choices": [{"message": {"content": "from the queue"}, "finish_reason": "stop"}]}


class NoSealer:
    def seal(self, plaintext: str, owner_id: int, kind: Kind = "endpoint") -> bytes:
        raise AssertionError

    def reveal(self, sealed: bytes, owner_id: int, kind: Kind = "endpoint") -> str:
        raise AssertionError


async def test_with_use_ai_queue_everything_goes_through_the_queue() -> None:
    async with loopback() as server:
        server.on("POST", "/v1/chat/completions", Answer(COMPLETION))
        chosen = read_settings(
            {
                "USE_AI_QUEUE": "true",
                "AI_QUEUE_URL": server.url,
                "AI_QUEUE_API_KEY": "queue-key",
                "AI_QUEUE_PRIORITY": "high",
                "AI_QUEUE_SOURCE": "tests",
            }
        )
        keys = EndpointKeys(RevealedKeys(NoSealer()), chosen)
        kept = Kept()
        catalog = a_catalog(Endpoint(1, "dead", "openai", "http://127.0.0.1:9"))
        gateway, client = a_gateway(catalog, kept, keys=keys, queue=queue_endpoint(chosen))
        for model in ("fast", "a-model-nobody-defined"):
            request = parse({"model": model, "stream": True, "messages": [{"role": "user", "content": "hi"}]})
            answer = await gateway.answer(request, Caller("req_1"))
            response = Response()
            while (batch := await answer.next()) is not None:
                response.add(batch)
            await answer.aclose()
            assert response.choice(0).text == ["from the queue"]
        await client.aclose()
    assert [seen.body["model"] for seen in server.seen] == ["actual", "a-model-nobody-defined"]
    first = server.seen[0].headers
    assert first["authorization"] == "Bearer queue-key"
    assert (first["x-priority"], first["x-source"], first["x-model"]) == ("HIGH", "tests", "actual")
    assert {record.endpoint_name for record in kept.records} == {"ai-queue"}


def test_without_the_switch_there_is_no_queue() -> None:
    assert queue_endpoint(read_settings({"AI_QUEUE_URL": "http://127.0.0.1:1"})) is None


async def test_a_runpod_endpoint_of_the_environment_serves_its_model_beside_the_stored_ones() -> None:
    chosen = read_settings(
        {"RUNPOD_ENDPOINT_ID": "abc123", "RUNPOD_API_KEY": "rk", "ENDPOINT_TYPE": "vllm", "MODEL_NAME": "mine"}
    )
    stored = FixedCatalog(a_catalog(Endpoint(1, "one", "openai", "http://127.0.0.1:9")))
    catalog = EnvironmentCatalog(stored, chosen)
    found = await catalog.get()
    assert set(found.virtual_models) == {"fast", "mine"}
    endpoint = found.endpoints[RUNPOD_ID]
    assert (endpoint.type, endpoint.url, endpoint.options["input_shape"]) == ("runpod", "abc123", "vllm")
    assert await EndpointKeys(RevealedKeys(NoSealer()), chosen).reveal(endpoint) == "rk"
    assert await catalog.get() is found
    stored.later = a_catalog(Endpoint(2, "two", "openai", "http://127.0.0.1:9"), name="newer")
    assert set((await catalog.refreshed()).virtual_models) == {"newer", "mine"}
    assert runpod_endpoint(read_settings({})) is None


async def test_a_stored_model_wins_over_one_of_the_environment_with_the_same_name() -> None:
    chosen = read_settings({"RUNPOD_ENDPOINT_ID": "abc123", "MODEL_NAME": "fast"})
    stored = FixedCatalog(a_catalog(Endpoint(1, "one", "openai", "http://127.0.0.1:9")))
    assert (await EnvironmentCatalog(stored, chosen).get()).virtual_models["fast"].id == 1


async def test_a_model_that_is_not_known_yet_is_looked_for_once_more() -> None:
    kept = Kept()
    source = FixedCatalog(a_catalog(), later=a_catalog(Endpoint(1, "demo", "demo", "demo://built-in"), name="fresh"))
    gateway, client = a_gateway(source, kept)
    request = parse({"model": "fresh", "messages": [{"role": "user", "content": "hi"}]})
    answer = await gateway.answer(request, Caller("req_1"))
    await answer.aclose()
    assert source.refreshes == 1
    with pytest.raises(GatewayError, match="no virtual model 'stale'"):
        await gateway.answer(
            parse({"model": "stale", "messages": [{"role": "user", "content": "hi"}]}), Caller("req_2")
        )
    await client.aclose()
    assert kept.records[0].outcome == "aborted"
    assert QUEUE_ID != RUNPOD_ID
