"""From names to targets, and the defaults of a virtual model."""

from dataclasses import replace
from typing import Any

import pytest

from shared.chat.request import ChatRequest, Message, Native, Sampling, TextPart
from shared.errors import ModelNotFound, NoEndpointEnabled
from shared.gateway.catalog import Catalog, TargetSpec, VirtualModel
from shared.gateway.routing import apply_policy, resolve
from shared.providers.base import Endpoint


def an_endpoint(number: int, **fields: Any) -> Endpoint:
    return Endpoint(number, f"endpoint {number}", "openai", "http://host", **fields)


def a_catalog(*endpoints: Endpoint, **fields: Any) -> Catalog:
    targets = tuple(TargetSpec(endpoint.id, f"actual-{endpoint.id}") for endpoint in endpoints)
    model = VirtualModel(1, "fast", **{"targets": targets, **fields})
    return Catalog(1, {endpoint.id: endpoint for endpoint in endpoints}, {"fast": model})


def asked(**fields: Any) -> ChatRequest:
    body = {"model": "fast", "messages": [{"role": "user", "content": "hi"}]}
    return ChatRequest("fast", (Message("user", (TextPart("hi"),)),), Native("openai_chat", body), **fields)


def test_the_endpoint_with_the_higher_priority_is_first_and_ties_keep_their_order() -> None:
    catalog = a_catalog(an_endpoint(1), an_endpoint(2, priority=5), an_endpoint(3), an_endpoint(4, priority=5))
    assert [stop.endpoint.id for stop in resolve(catalog, "fast").stops] == [2, 4, 1, 3]
    assert resolve(catalog, "fast").stops[0].actual_model == "actual-2"


def test_disabled_endpoints_and_missing_ones_are_passed_over() -> None:
    catalog = a_catalog(an_endpoint(1, enabled=False), an_endpoint(2))
    targets = (TargetSpec(99, "gone"), *catalog.virtual_models["fast"].targets)
    catalog = replace(catalog, virtual_models={"fast": replace(catalog.virtual_models["fast"], targets=targets)})
    assert [stop.endpoint.id for stop in resolve(catalog, "fast").stops] == [2]


def test_what_cannot_be_served_is_told_apart() -> None:
    with pytest.raises(ModelNotFound, match="no virtual model 'slow'; GET /v1/models"):
        resolve(a_catalog(an_endpoint(1)), "slow")
    with pytest.raises(ModelNotFound, match="'fast' is disabled"):
        resolve(a_catalog(an_endpoint(1), enabled=False), "fast")
    with pytest.raises(NoEndpointEnabled, match="every endpoint of virtual model 'fast' is disabled"):
        resolve(a_catalog(an_endpoint(1, enabled=False)), "fast")


def test_a_queue_takes_everything_under_the_actual_models_name() -> None:
    queue = Endpoint(-1, "ai-queue", "queue", "http://queue")
    catalog = a_catalog(an_endpoint(1))
    assert resolve(catalog, "fast", queue).stops == ((queue, "actual-1"),)
    assert resolve(catalog, "unknown-here", queue).stops == ((queue, "unknown-here"),)


def test_defaults_serve_only_where_the_client_said_nothing_and_zero_is_a_value() -> None:
    model = VirtualModel(1, "fast", (), temperature=0.0, top_p=0.5, max_tokens=100)
    silent = apply_policy(asked(), model)
    assert (silent.sampling.temperature, silent.sampling.top_p, silent.sampling.max_tokens) == (0.0, 0.5, 100)
    assert silent.policy.temperature == 0.0
    spoken = apply_policy(asked(sampling=Sampling(temperature=1.0, max_tokens=0)), model)
    assert (spoken.sampling.temperature, spoken.sampling.top_p, spoken.sampling.max_tokens) == (1.0, 0.5, 0)
    assert spoken.policy.temperature is None


def test_without_a_policy_the_request_is_the_same_object() -> None:
    request = asked()
    assert apply_policy(request, VirtualModel(1, "fast", ())) is request


def test_the_system_prompt_comes_first_and_the_clients_own_stays() -> None:
    request = apply_policy(asked(), VirtualModel(1, "fast", (), system_prompt="Be brief."))
    assert [message.role for message in request.messages] == ["system", "user"]
    assert request.native.body["messages"] == [{"role": "user", "content": "hi"}]
    assert request.policy.system_prompt == "Be brief."
