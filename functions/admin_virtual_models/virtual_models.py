"""Virtual models: listed, created, changed and deleted."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import FastAPI
from pydantic import BaseModel

from functions.admin_virtual_models.price_proposals import propose_prices
from shared.errors import MethodNotAllowed
from shared.providers.base import Endpoint
from shared.store.config_records import VirtualModelRecord
from shared.store.config_store import ConfigStore
from shared.store.refusals import Conflict, NotFound
from shared.store.seal import Sealer
from shared.web.admin_access import Access
from shared.web.admin_app import admin_app, serve
from shared.web.admin_errors import AdminRefusal
from shared.web.admin_fields import RecordId
from shared.web.edits import edit
from shared.web.virtual_model_schemas import (
    NewVirtualModel,
    PriceHistory,
    SavedVirtualModel,
    VirtualModelChange,
    VirtualModelRow,
    price_row,
    virtual_model_row,
)

ALL = ("/api/admin/virtual-models", "/virtual-models", "/api/virtual-models")
ONE = ("/api/admin/virtual-models/{id}", "/virtual-models/{id}")
PRICES = ("/api/admin/virtual-models/{id}/prices",)
PROPOSALS = ("/api/admin/price-proposals",)
DELETE = ("/api/admin/virtual-models/{id}/delete", "/virtual-models/{id}/delete")


class Deleted(BaseModel):
    status: Literal["ok"] = "ok"


def admin_virtual_models_app(store: ConfigStore, sealer: Sealer, access: Access) -> FastAPI:
    app = admin_app("Virtual models", access)
    virtual_models = _VirtualModels(store, sealer)
    serve(app, "GET", DELETE, virtual_models.refuse_get, response_model=None)
    serve(app, "DELETE", DELETE, virtual_models.delete)
    serve(app, "GET", PRICES, virtual_models.prices)
    serve(app, "GET", PROPOSALS, propose_prices)
    serve(app, "GET", ALL, virtual_models.all)
    serve(app, "POST", ALL, virtual_models.create, status_code=201)
    serve(app, "GET", ONE, virtual_models.one)
    serve(app, "PUT", ONE, virtual_models.change)
    serve(app, "DELETE", ONE, virtual_models.delete)
    return app


class _VirtualModels:
    """The handlers; blocking, FastAPI runs them in threads."""

    def __init__(self, store: ConfigStore, sealer: Sealer) -> None:
        self._store = store
        self._sealer = sealer

    def all(self) -> list[VirtualModelRow]:
        """All virtual models by name."""
        endpoints = {each.id: each.endpoint() for each in self._store.list_endpoints()}
        return [
            VirtualModelRow(**virtual_model_row(record, endpoints.get(record.value.targets[0].endpoint_id)))
            for record in self._store.list_virtual_models()
        ]

    def one(self, id: RecordId) -> VirtualModelRow:
        return VirtualModelRow(**self._row(self._store.get_virtual_model(id)))

    def create(self, new: NewVirtualModel) -> SavedVirtualModel:
        value = new.value(lambda: self._store.allocate_id("virtual_model"), self._seal)
        return SavedVirtualModel(**self._row(self._store.create_virtual_model(value)))

    def change(self, id: RecordId, change: VirtualModelChange) -> SavedVirtualModel:
        """What is sent changes, the rest stays. With `version`, 409 and the `current` row when it is not the last."""
        try:
            record = edit(
                self._store.get_virtual_model,
                self._store.update_virtual_model,
                id,
                lambda current: change.changes(current.value, self._seal),
                change.version,
            )
        except Conflict as conflict:
            raise AdminRefusal(409, conflict.message, {"current": self._row(conflict.current)}) from conflict
        return SavedVirtualModel(**self._row(record))

    def prices(self, id: RecordId) -> PriceHistory:
        """What it cost since when, the newest first; of a deleted one, too."""
        items = [price_row(each) for each in reversed(self._store.list_prices(id))]
        return PriceHistory(items=items, count=len(items))

    def delete(self, id: RecordId) -> Deleted:
        self._store.delete_virtual_model(id)
        return Deleted()

    def refuse_get(self, id: str) -> None:
        """A GET never changes anything."""
        raise MethodNotAllowed(
            f"a GET deletes nothing: send DELETE /api/admin/virtual-models/{id[:20]} instead", ("DELETE",)
        )

    def _seal(self, text: str, virtual_model_id: int) -> bytes:
        return self._sealer.seal(text, virtual_model_id, "virtual_model")

    def _row(self, record: VirtualModelRecord) -> dict[str, Any]:
        return virtual_model_row(record, self._endpoint(record.value.targets[0].endpoint_id))

    def _endpoint(self, endpoint_id: int) -> Endpoint | None:
        try:
            return self._store.get_endpoint(endpoint_id).endpoint()
        except NotFound:
            return None
