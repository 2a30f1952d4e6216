"""An endpoint's test and its list of models."""

from __future__ import annotations

import asyncio
from typing import Literal

from fastapi import FastAPI
from pydantic import BaseModel, Field

from functions.admin_endpoint_probe.probe import PATIENCE, Fails, ListFailed, Probe, Stage, stage_of
from shared.errors import GatewayError
from shared.gateway.catalog import VirtualModel
from shared.providers.base import Timeouts, Upstream
from shared.store.config_records import EndpointRecord
from shared.store.config_store import ConfigStore
from shared.store.health import HealthBoard
from shared.store.seal import SealBroken, Sealer
from shared.store.stored_secrets import check_key, origin_of
from shared.web.admin_access import Access
from shared.web.admin_app import admin_app, serve
from shared.web.admin_errors import AdminRefusal, Problem
from shared.web.admin_fields import RecordId
from shared.web.endpoint_schemas import EndpointChange

TEST = ("/api/admin/endpoints/{id}/test", "/endpoints/{id}/test")
MODELS = ("/api/admin/endpoints/{id}/models", "/endpoints/{id}/models")


class EndpointWorks(BaseModel):
    """`models` is how many it lists; where it lists none, `model` is the one that answered instead."""

    status: Literal["ok"] = "ok"
    latency_ms: int
    models: int | None
    model: str | None = None
    endpoint_status: int | None


class EndpointFails(BaseModel):
    """`stage` is how far the call came, `endpoint_status` the last HTTP status that came back."""

    status: Literal["failed"] = "failed"
    stage: Stage
    message: str
    endpoint_status: int | None


class ModelList(BaseModel):
    models: list[str]


class DiscoveryFailed(Problem):
    attempts: list[str] = Field(description="the calls that were made, each with its status")


def admin_endpoint_probe_app(
    store: ConfigStore,
    sealer: Sealer,
    upstream: Upstream,
    health: HealthBoard,
    access: Access,
    timeouts: Timeouts = PATIENCE,
) -> FastAPI:
    app = admin_app("Endpoint probe", access)
    probes = _Probes(store, sealer, upstream, health, timeouts)
    serve(app, "POST", TEST, probes.test)
    failures = {502: {"model": DiscoveryFailed}, 504: {"model": DiscoveryFailed}}
    serve(app, "GET", MODELS, probes.models, responses=failures)
    return app


class _Probes:
    def __init__(
        self, store: ConfigStore, sealer: Sealer, upstream: Upstream, health: HealthBoard, timeouts: Timeouts
    ) -> None:
        self._store = store
        self._sealer = sealer
        self._upstream = upstream
        self._health = health
        self._timeouts = timeouts

    async def test(self, id: RecordId, unsaved: EndpointChange | None = None) -> EndpointWorks | EndpointFails:
        """A real call with the endpoint's key. A body is laid over what is stored and is not kept.

        The stored key goes to the stored address only: a body that names another host brings its own `api_key`, or
        says `clear_api_key` to be tested without one.
        """
        stored = await asyncio.to_thread(self._store.get_endpoint, id)
        record = unsaved.over(stored) if unsaved else stored
        elsewhere = origin_of(record) != origin_of(stored)
        if not (unsaved and (unsaved.api_key or unsaved.clear_api_key)):
            check_key(stored, record)
        try:
            api_key = await self._key(stored, unsaved)
        except SealBroken as error:
            return EndpointFails(stage=stage_of(error), message=error.message, endpoint_status=None)
        probe = Probe(self._upstream, record.endpoint(), api_key, self._timeouts)
        result = await probe.test(None if elsewhere else await asyncio.to_thread(self._user, id))
        if record == stored and not (unsaved and (unsaved.api_key or unsaved.clear_api_key)):
            await self._note(id, result.error if isinstance(result, Fails) else None)
        if isinstance(result, Fails):
            return EndpointFails(stage=result.stage, message=result.message, endpoint_status=result.status)
        return EndpointWorks(
            latency_ms=result.latency_ms, models=result.models, model=result.model, endpoint_status=result.status
        )

    async def models(self, id: RecordId) -> ModelList:
        """The models that the endpoint offers, sorted."""
        record = await asyncio.to_thread(self._store.get_endpoint, id)
        api_key = await self._key(record, None)
        try:
            found = await Probe(self._upstream, record.endpoint(), api_key, self._timeouts).models()
        except ListFailed as failed:
            attempts = [str(attempt) for attempt in failed.attempts]
            raise AdminRefusal(failed.status, failed.message, {"attempts": attempts}) from failed
        return ModelList(models=found)

    async def _key(self, stored: EndpointRecord, unsaved: EndpointChange | None) -> str | None:
        if unsaved and (unsaved.api_key or unsaved.clear_api_key):
            return unsaved.api_key
        if stored.sealed_key is None:
            return None
        return await asyncio.to_thread(self._sealer.reveal, stored.sealed_key, stored.id)

    def _user(self, endpoint_id: int) -> VirtualModel | None:
        """A virtual model that has the endpoint among its targets, one that serves before one that does not."""
        users = [
            each.value
            for each in self._store.list_virtual_models()
            if any(target.endpoint_id == endpoint_id for target in each.value.targets)
        ]
        return next((each for each in users if each.enabled), users[0] if users else None)

    async def _note(self, endpoint_id: int, error: GatewayError | None) -> None:
        """For `/health`; waited for, because Lambda freezes what goes on behind an answer. A backend that refuses the
        question, such as one without a list of models, is not ill for it."""
        if error is None:
            self._health.note(endpoint_id, True)
        elif error.another_target_may_help or error.status >= 500:
            self._health.note(endpoint_id, False, error.code, error.status)
        await self._health.flush()
