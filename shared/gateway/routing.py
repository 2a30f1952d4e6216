"""From a model's name to the targets to try, and the request as those targets shall see it."""

from __future__ import annotations

from typing import NamedTuple

from shared.chat.request import ChatRequest, Message, Policy, TextPart
from shared.errors import ModelNotFound, NoEndpointEnabled
from shared.gateway.catalog import Catalog, VirtualModel
from shared.providers.base import Endpoint


class Stop(NamedTuple):
    """One place to try: an endpoint and the actual model there."""

    endpoint: Endpoint
    actual_model: str


class Route(NamedTuple):
    """`catalog` is the snapshot that the route was found in."""

    virtual_model: VirtualModel
    stops: tuple[Stop, ...]
    catalog: Catalog


def resolve(catalog: Catalog, model: str, queue: Endpoint | None = None) -> Route:
    """The virtual model's enabled targets, the endpoint with the higher priority first.

    With a `queue`, everything goes there, under the actual model's name (or the client's, where no virtual model has
    it). Raises ModelNotFound or NoEndpointEnabled.
    """
    found = catalog.virtual_models.get(model)
    if queue is not None:
        return _through_queue(queue, found, model, catalog)
    if found is None:
        raise ModelNotFound(f"no virtual model {model[:200]!r}; GET /v1/models lists yours", param="model")
    if not found.enabled:
        raise ModelNotFound(f"virtual model {model!r} is disabled; an administrator can enable it", param="model")
    endpoints = [(catalog.endpoints.get(target.endpoint_id), target) for target in found.targets]
    stops = [Stop(endpoint, target.actual_model) for endpoint, target in endpoints if endpoint and endpoint.enabled]
    if not stops:
        raise NoEndpointEnabled(
            f"every endpoint of virtual model {model!r} is disabled; an administrator can enable one", param="model"
        )
    stops.sort(key=lambda stop: -stop.endpoint.priority)
    return Route(found, tuple(stops), catalog)


def _through_queue(queue: Endpoint, found: VirtualModel | None, model: str, catalog: Catalog) -> Route:
    if found is None:
        found = VirtualModel(id=0, name=model, targets=())
    actual = found.targets[0].actual_model if found.targets else model
    return Route(found, (Stop(queue, actual),), catalog)


def apply_policy(request: ChatRequest, model: VirtualModel) -> ChatRequest:
    """The request with the virtual model's defaults where the client said nothing, and its system prompt first."""
    said = request.sampling
    policy = Policy(
        system_prompt=model.system_prompt or None,
        max_tokens=model.max_tokens if said.max_tokens is None else None,
        temperature=model.temperature if said.temperature is None else None,
        top_p=model.top_p if said.top_p is None else None,
    )
    stream = request.stream and not model.force_non_streaming
    if policy == Policy() and stream == request.stream:
        return request
    sampling = said._replace(
        max_tokens=said.max_tokens if policy.max_tokens is None else policy.max_tokens,
        temperature=said.temperature if policy.temperature is None else policy.temperature,
        top_p=said.top_p if policy.top_p is None else policy.top_p,
    )
    messages = request.messages
    if policy.system_prompt:
        messages = (Message("system", (TextPart(policy.system_prompt),)), *messages)
    return request._replace(sampling=sampling, messages=messages, policy=policy, stream=stream)
