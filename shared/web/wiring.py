"""Composition: everything a process shares, made on first use from its settings. The one place with such state."""

from __future__ import annotations

import os
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from shared.errors import GatewayError
from shared.gateway.answer import CatalogSource, Gateway
from shared.gateway.catalog import Catalog, TargetSpec, VirtualModel
from shared.gateway.stored_settings import NOTHING_SET, StoredSettings
from shared.protocols.openai_errors import error_body
from shared.protocols.rendering import Wire
from shared.providers.address import locate
from shared.providers.base import Endpoint, Timeouts
from shared.providers.reach import Reach
from shared.providers.registry import Adapters
from shared.settings import Settings, in_cloud, read_settings
from shared.web.app import ClientApp
from shared.web.asgi import App
from shared.web.chat_route import ChatRoute
from shared.web.cors import WithCors
from shared.web.request_log import Metrics
from shared.wire import JsonObject

if TYPE_CHECKING:
    from shared.gateway.records import Recorder
    from shared.store.config_store import ConfigStore
    from shared.store.health import HealthBoard
    from shared.store.key_cache import KeyCache
    from shared.store.ledger import Ledger
    from shared.store.limits import TableLimiter
    from shared.store.seal import RevealedKeys, Sealer
    from shared.store.snapshot import CatalogCache
    from shared.store.tables import Tables
    from shared.web.access import Access

REACHES: Mapping[str, Reach] = {"refused": "public", "networks": "networks", "allowed": "anywhere"}

# ids of endpoints that come from the environment; the store's begin at 1
QUEUE_ID = -1
RUNPOD_ID = -2


@cache
def settings() -> Settings:
    return read_settings(os.environ)


@cache
def tables() -> Tables:
    """The tables with the patience of the request path."""
    from shared.store.tables import REQUEST_PATH, Tables

    return Tables(
        settings().table_prefix, region=settings().region, endpoint=settings().dynamodb_url, patience=REQUEST_PATH
    )


@cache
def admin_tables() -> Tables:
    """The tables with the patience of an administrator."""
    from shared.store.tables import Tables

    return Tables(
        settings().table_prefix,
        region=settings().region,
        endpoint=settings().dynamodb_url,
        audit_days=settings().audit_ttl_days,
    )


@cache
def config_store() -> ConfigStore:
    from shared.store.config_store import ConfigStore

    return ConfigStore(admin_tables())


@cache
def catalog_cache() -> CatalogCache:
    from shared.store.config_store import ConfigStore
    from shared.store.snapshot import CatalogCache

    return CatalogCache(ConfigStore(tables()))


@cache
def sealer() -> Sealer:
    """KMS where a key is named, else the key file beside the data."""
    from shared.store.seal import KeyFileSealer, KmsSealer

    # on Lambda without a key's name secrets can only be read: a key file would be lost with its environment
    if settings().kms_key_id or "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
        return KmsSealer(settings().kms_key_id, region=settings().region)
    return KeyFileSealer(settings().data_dir / "keys" / "endpoint.key")


@cache
def revealed_keys() -> RevealedKeys:
    from shared.store.seal import RevealedKeys

    return RevealedKeys(sealer())


@cache
def adapters() -> Adapters:
    from shared.providers.upstream import PooledUpstream

    return Adapters(PooledUpstream(reach=REACHES[settings().private_upstreams]))


@cache
def health_board() -> HealthBoard:
    from shared.store.health import HealthBoard

    return HealthBoard(tables())


@cache
def ledger() -> Ledger:
    """The ledger as administrators read it."""
    from shared.store.ledger import Ledger

    return Ledger(admin_tables(), keep_days=settings().ledger_ttl_days)


@cache
def key_cache() -> KeyCache:
    from shared.store.client_keys import ClientKeys
    from shared.store.key_cache import KeyCache

    return KeyCache(ClientKeys(tables()))


@cache
def limiter() -> TableLimiter:
    from shared.store.limits import LimitTable, TableLimiter

    return TableLimiter(LimitTable(tables()))


@cache
def client_access() -> Access:
    """Which clients are let in, checked before anything of theirs is read."""
    from shared.web.access import KeyAccess

    return KeyAccess(key_cache, required=settings().client_access == "required")


@cache
def recorder() -> Recorder:
    """One put after the answer on Lambda, a journal in a process that lives on."""
    from shared.store.recorders import JournalRecorder, TableRecorder

    if in_cloud(os.environ):
        from shared.store.ledger import Ledger

        return TableRecorder(Ledger(tables(), keep_days=settings().ledger_ttl_days))
    from shared.store.journal import JournalWriter

    return JournalRecorder(JournalWriter(settings().data_dir / "ledger"))


@cache
def timeouts() -> Timeouts:
    limit = settings().timeout_seconds
    return Timeouts(connect=min(settings().connect_timeout_seconds, limit), idle=limit, total=limit)


@cache
def gateway() -> Gateway:
    return Gateway(
        catalog=EnvironmentCatalog(catalog_cache(), settings()),
        adapters=adapters(),
        keys=EndpointKeys(revealed_keys(), settings()),
        recorder=recorder(),
        health=health_board(),
        timeouts=timeouts(),
        limiter=limiter(),
    )


def chat_app(wire: Wire) -> App:
    """The app of a route that answers with a model's words."""
    chosen = settings()
    route = ChatRoute(wire, gateway, max_body_bytes=chosen.max_body_bytes, keep_alive_seconds=chosen.keep_alive_seconds)
    return client_app(route, wire.error)


def client_app(handler: App, body_of: Callable[[GatewayError], JsonObject] = error_body) -> App:
    """An app that is only for clients who are let in."""
    chosen = settings()
    app = ClientApp(
        handler, client_access(), body_of, trusted_proxies=chosen.trusted_proxies, metrics=embedded_metrics()
    )
    # on a laptop one stands before all routes (infra/local), which sees the preflights, too
    return WithCors(app, chosen.cors_origins) if chosen.cors_origins and in_cloud(os.environ) else app


@cache
def embedded_metrics() -> Metrics | None:
    from shared.web.embedded_metrics import EmbeddedMetrics

    if settings().metrics == "off":
        return None
    return EmbeddedMetrics(settings().table_prefix, by_model=settings().metrics == "models")


def queue_endpoint(chosen: Settings, stored: StoredSettings = NOTHING_SET) -> Endpoint | None:
    """The queue server of `USE_AI_QUEUE`, through which then everything goes; what is stored comes first."""
    use = chosen.use_ai_queue if stored.use_ai_queue is None else stored.use_ai_queue
    if not use:
        return None
    options = {
        "priority": stored.ai_queue_priority or chosen.ai_queue_priority,
        "source": stored.ai_queue_source or chosen.ai_queue_source,
    }
    url = stored.ai_queue_url or chosen.ai_queue_url
    return Endpoint(id=QUEUE_ID, name="ai-queue", type="queue", url=url, options=options)


class EndpointKeys:
    """API keys in the clear: unsealed for stored endpoints, from the settings for those of the environment."""

    def __init__(self, revealed: RevealedKeys, chosen: Settings) -> None:
        self._revealed = revealed
        self._environment = {QUEUE_ID: chosen.ai_queue_api_key, RUNPOD_ID: chosen.runpod_api_key}
        self._queue_url = chosen.ai_queue_url

    async def reveal(self, endpoint: Endpoint) -> str | None:
        if endpoint.id < 0:
            if endpoint.id == QUEUE_ID and locate(endpoint.url)[:3] != locate(self._queue_url)[:3]:
                return None  # the deployment's key is for the deployment's queue server
            return self._environment[endpoint.id]
        if endpoint.sealed_key is None:
            return None
        return await self._revealed.reveal(endpoint.sealed_key, endpoint.id)

    async def headers(self, model: VirtualModel) -> Mapping[str, str]:
        if not model.sealed_headers:
            return model.custom_headers
        revealed = {
            name: await self._revealed.reveal(b64decode(sealed), model.id, "virtual_model")
            for name, sealed in model.sealed_headers.items()
        }
        return {**model.custom_headers, **revealed}


class EnvironmentCatalog:
    """The stored catalog, with the model that `RUNPOD_ENDPOINT_ID` and `MODEL_NAME` define beside it, and the queue
    server where one is in use."""

    def __init__(self, stored: CatalogSource, chosen: Settings) -> None:
        self._stored = stored
        self._chosen = chosen
        self._endpoint = runpod_endpoint(chosen)
        self._model = VirtualModel(
            id=RUNPOD_ID, name=chosen.default_model, targets=(TargetSpec(RUNPOD_ID, chosen.default_model),)
        )
        self._seen: Catalog | None = None
        self._merged: Catalog | None = None

    async def get(self) -> Catalog:
        return self._with_environment(await self._stored.get())

    async def refreshed(self) -> Catalog:
        return self._with_environment(await self._stored.refreshed())

    async def settle(self) -> None:
        await self._stored.settle()

    def _with_environment(self, catalog: Catalog) -> Catalog:
        if self._merged is None or self._seen is not catalog:
            self._seen = catalog
            queue = queue_endpoint(self._chosen, catalog.settings)
            merged = catalog if queue is None else replace(catalog, queue=queue)
            if self._endpoint is not None:
                merged = replace(
                    merged,
                    endpoints={**catalog.endpoints, RUNPOD_ID: self._endpoint},
                    virtual_models={self._model.name: self._model, **catalog.virtual_models},
                )
            self._merged = merged
        return self._merged


def runpod_endpoint(chosen: Settings) -> Endpoint | None:
    if not chosen.runpod_endpoint_id:
        return None
    options = {"mode": "auto", "input_shape": chosen.runpod_worker}
    return Endpoint(id=RUNPOD_ID, name="runpod", type="runpod", url=chosen.runpod_endpoint_id, options=options)
