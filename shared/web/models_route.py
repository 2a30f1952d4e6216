"""`GET /v1/models` and `GET /v1/models/{id}`: the enabled virtual models, in OpenAI's shape or in Anthropic's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import parse_qs

from shared.errors import ModelNotFound
from shared.gateway.answer import Gateway
from shared.gateway.catalog import Catalog, VirtualModel
from shared.web.asgi import Receive, Scope, Send, header, send_json
from shared.web.responses import caller_of, success_headers
from shared.wire import JsonObject, dumps

_MOST = 1_000


class ModelsRoute:
    """Clients that send `anthropic-version` (Claude Code's discovery) get Anthropic's list with its cursors."""

    def __init__(self, gateway: Callable[[], Gateway]) -> None:
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        catalog = await self._gateway().catalog.get()
        limits = caller_of(scope).limits
        allowed = (model for model in catalog.virtual_models.values() if model.enabled and limits.allows(model.name))
        models = sorted(allowed, key=lambda m: m.name)
        wanted = str(scope["path"]).partition("/models/")[2]
        anthropic = bool(header(scope, b"anthropic-version"))
        row = anthropic_row if anthropic else (lambda model: openai_row(model, catalog))
        if wanted:
            found = next((model for model in models if model.name == wanted), None)
            if found is None:
                raise ModelNotFound(f"no virtual model {wanted[:200]!r}; GET /v1/models lists yours", param="model")
            body = row(found)
        elif anthropic:
            body = _page(models, scope)
        else:
            body = {"object": "list", "data": [row(model) for model in models]}
        await send_json(send, 200, dumps(body), success_headers(caller_of(scope)))


def openai_row(model: VirtualModel, catalog: Catalog) -> JsonObject:
    """`owned_by` names the endpoint that is asked first, as the original does."""
    endpoints = [
        catalog.endpoints[target.endpoint_id] for target in model.targets if target.endpoint_id in catalog.endpoints
    ]
    first = max(endpoints, key=lambda endpoint: (endpoint.enabled, endpoint.priority), default=None)
    return {
        "id": model.name,
        "object": "model",
        "created": model.created_at,
        "owned_by": first.name if first else "serverless-proxy",
    }


def anthropic_row(model: VirtualModel) -> JsonObject:
    return {
        "type": "model",
        "id": model.name,
        "display_name": model.name,
        "created_at": datetime.fromtimestamp(model.created_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def _page(models: list[VirtualModel], scope: Scope) -> JsonObject:
    """A page by `limit` and `after_id` (docs.anthropic.com, List Models)."""
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    after = query.get("after_id", [""])[0]
    limit = query.get("limit", ["20"])[0]
    count = min(max(int(limit), 1), _MOST) if limit.isdigit() else 20
    names = [model.name for model in models]
    start = names.index(after) + 1 if after in names else 0
    page = models[start : start + count]
    return {
        "data": [anthropic_row(model) for model in page],
        "has_more": start + count < len(models),
        "first_id": page[0].name if page else None,
        "last_id": page[-1].name if page else None,
    }
