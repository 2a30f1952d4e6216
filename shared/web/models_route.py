"""`GET /v1/models` and `GET /v1/models/{id}`: the enabled virtual models under all of their names, in OpenAI's shape or
in Anthropic's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
        models = {
            name: model
            for name, model in sorted(catalog.virtual_models.items())
            if model.enabled and limits.allows(model.name)
        }
        wanted = str(scope["path"]).partition("/models/")[2]
        anthropic = bool(header(scope, b"anthropic-version"))
        row = anthropic_row if anthropic else (lambda name, model: openai_row(name, model, catalog))
        if wanted:
            found = models.get(wanted)
            if found is None:
                raise ModelNotFound(f"no virtual model {wanted[:200]!r}; GET /v1/models lists yours", param="model")
            body = row(wanted, found)
        elif anthropic:
            body = _page(models, scope)
        else:
            body = {"object": "list", "data": [row(name, model) for name, model in models.items()]}
        await send_json(send, 200, dumps(body), success_headers(caller_of(scope)))
        await self._gateway().catalog.settle()


def openai_row(name: str, model: VirtualModel, catalog: Catalog) -> JsonObject:
    """`owned_by` names the endpoint that is asked first, as the original does."""
    endpoints = [
        catalog.endpoints[target.endpoint_id] for target in model.targets if target.endpoint_id in catalog.endpoints
    ]
    first = max(endpoints, key=lambda endpoint: (endpoint.enabled, endpoint.priority), default=None)
    return {
        "id": name,
        "object": "model",
        "created": model.created_at,
        "owned_by": first.name if first else "serverless-proxy",
    }


def anthropic_row(name: str, model: VirtualModel) -> JsonObject:
    return {
        "type": "model",
        "id": name,
        "display_name": name,
        "created_at": datetime.fromtimestamp(model.created_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def _page(models: Mapping[str, VirtualModel], scope: Scope) -> JsonObject:
    """A page by `limit` and `after_id` (docs.anthropic.com, List Models)."""
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    after = query.get("after_id", [""])[0]
    limit = query.get("limit", ["20"])[0]
    count = min(max(int(limit), 1), _MOST) if limit.isdigit() else 20
    names = list(models)
    start = names.index(after) + 1 if after in names else 0
    page = names[start : start + count]
    return {
        "data": [anthropic_row(name, models[name]) for name in page],
        "has_more": start + count < len(models),
        "first_id": page[0] if page else None,
        "last_id": page[-1] if page else None,
    }
