"""`GET /health`: whether the store answers and how each endpoint was last seen. It never calls a model."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from shared.errors import StoreUnavailable
from shared.gateway.answer import Gateway
from shared.gateway.catalog import Catalog
from shared.web.asgi import Receive, Scope, Send, send_json
from shared.web.responses import caller_of, success_headers
from shared.wire import JsonObject, dumps


class Sighting(Protocol):
    """How an endpoint was last seen; `at` in seconds since 1970."""

    @property
    def ok(self) -> bool: ...
    @property
    def at(self) -> int: ...
    @property
    def error_code(self) -> str | None: ...


class HealthRoute:
    """`sightings` reads the health board and so asks the store; blocking."""

    def __init__(self, gateway: Callable[[], Gateway], sightings: Callable[[], Mapping[int, Sighting]]) -> None:
        self._gateway = gateway
        self._sightings = sightings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.monotonic()
        store: JsonObject
        seen: Mapping[int, Sighting] = {}
        try:
            seen = await asyncio.to_thread(self._sightings)
            store = {"ok": True, "latency_ms": round((time.monotonic() - began) * 1_000, 1)}
        except StoreUnavailable as error:
            store = {"ok": False, "error": error.message}
        try:
            catalog = await self._gateway().catalog.get()
        except StoreUnavailable:
            catalog = Catalog()
        endpoints = [
            {
                "name": endpoint.name,
                "type": endpoint.type,
                "enabled": endpoint.enabled,
                "healthy": sighting.ok if sighting else None,
                "last_seen": sighting.at if sighting else None,
                "error": sighting.error_code if sighting else None,
            }
            for endpoint in sorted(catalog.endpoints.values(), key=lambda endpoint: endpoint.name)
            for sighting in (seen.get(endpoint.id),)
        ]
        body = {
            "status": "healthy" if store["ok"] else "unhealthy",
            "timestamp": int(time.time()),
            "store": store,
            "endpoints": endpoints,
            "virtual_models": len({model.name for model in catalog.virtual_models.values() if model.enabled}),
        }
        headers = [(b"cache-control", b"no-store"), *success_headers(caller_of(scope))]
        await send_json(send, 200, dumps(body), headers)
