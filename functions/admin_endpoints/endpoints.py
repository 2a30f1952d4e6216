"""Endpoints: listed, created, changed and deleted."""

from __future__ import annotations

from typing import Literal

from fastapi import FastAPI
from pydantic import BaseModel

from shared.errors import MethodNotAllowed
from shared.store.config_records import EndpointRecord
from shared.store.config_store import ConfigStore
from shared.store.refusals import Conflict
from shared.store.seal import Sealer
from shared.web.admin_access import Access
from shared.web.admin_app import admin_app, serve
from shared.web.admin_errors import AdminRefusal
from shared.web.admin_fields import RecordId
from shared.web.edits import edit
from shared.web.endpoint_schemas import EndpointChange, EndpointRow, NewEndpoint, SavedEndpoint, endpoint_row

ALL = ("/api/admin/endpoints", "/endpoints", "/api/endpoints")
ONE = ("/api/admin/endpoints/{id}", "/endpoints/{id}")
DELETE = ("/api/admin/endpoints/{id}/delete", "/endpoints/{id}/delete")


class Deleted(BaseModel):
    status: Literal["ok"] = "ok"


def admin_endpoints_app(store: ConfigStore, sealer: Sealer, access: Access) -> FastAPI:
    app = admin_app("Endpoints", access)
    endpoints = _Endpoints(store, sealer)
    # before the routes of one endpoint: a GET of …/delete says how to delete
    serve(app, "GET", DELETE, endpoints.refuse_get, response_model=None)
    serve(app, "DELETE", DELETE, endpoints.delete)
    serve(app, "GET", ALL, endpoints.all)
    serve(app, "POST", ALL, endpoints.create, status_code=201)
    serve(app, "GET", ONE, endpoints.one)
    serve(app, "PUT", ONE, endpoints.change)
    serve(app, "DELETE", ONE, endpoints.delete)
    return app


class _Endpoints:
    """The handlers; blocking, FastAPI runs them in threads."""

    def __init__(self, store: ConfigStore, sealer: Sealer) -> None:
        self._store = store
        self._sealer = sealer

    def all(self) -> list[EndpointRow]:
        """All endpoints by name."""
        return [EndpointRow(**endpoint_row(record)) for record in self._store.list_endpoints()]

    def one(self, id: RecordId) -> EndpointRow:
        return EndpointRow(**endpoint_row(self._store.get_endpoint(id)))

    def create(self, new: NewEndpoint) -> SavedEndpoint:
        record = EndpointRecord(**new.changes(None))
        if new.api_key:  # the key is sealed for the id, so that it opens nothing elsewhere
            endpoint_id = self._store.allocate_id("endpoint")
            key = new.key_changes(self._sealer, endpoint_id)
            record = EndpointRecord(id=endpoint_id, **new.changes(None), **key)
        return SavedEndpoint(**endpoint_row(self._store.create_endpoint(record)))

    def change(self, id: RecordId, change: EndpointChange) -> SavedEndpoint:
        """What is sent changes, the rest stays. With `version`, 409 and the `current` row when it is not the last."""
        try:
            record = edit(
                self._store.get_endpoint,
                self._store.update_endpoint,
                id,
                lambda current: change.changes(current) | change.key_changes(self._sealer, current.id),
                change.version,
            )
        except Conflict as conflict:
            raise AdminRefusal(409, conflict.message, {"current": endpoint_row(conflict.current)}) from conflict
        return SavedEndpoint(**endpoint_row(record))

    def delete(self, id: RecordId, cascade: bool = False) -> Deleted:
        """409 with the names of the `virtual_models` that use it, unless `cascade`."""
        self._store.delete_endpoint(id, cascade=cascade)
        return Deleted()

    def refuse_get(self, id: str) -> None:
        """A GET never changes anything."""
        raise MethodNotAllowed(
            f"a GET deletes nothing: send DELETE /api/admin/endpoints/{id[:20]} instead", ("DELETE",)
        )
