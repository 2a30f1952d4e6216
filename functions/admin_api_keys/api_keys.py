"""Client keys: made, listed, changed and revoked. A key is shown in the answer that makes it and never again."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import FastAPI, Path
from pydantic import BaseModel, Field

from shared.store.client_key import ClientKey
from shared.store.client_keys import ClientKeys
from shared.store.refusals import DuplicateName
from shared.web.admin_access import Access
from shared.web.admin_app import admin_app, serve
from shared.web.admin_errors import AdminRefusal
from shared.web.admin_fields import Flag, Form, Name

ALL = ("/api/admin/api-keys", "/api/admin/inbound-api-keys")
ONE = ("/api/admin/api-keys/{id}", "/api/admin/inbound-api-keys/{id}")

Notes = Annotated[str, Field(max_length=2_000)]
KeyId = Annotated[str, Path(max_length=64)]


class ApiKey(BaseModel):
    """Times are seconds since 1970. `last_used_at` is up to ten minutes old."""

    id: str
    label: str
    key_prefix: str
    notes: str
    enabled: bool
    created_at: int
    updated_at: int
    last_used_at: int | None
    revoked_at: int | None


class ApiKeys(BaseModel):
    items: list[ApiKey]


class MadeApiKey(ApiKey):
    api_key: str = Field(description="the key itself, shown this once")


class NewApiKey(Form):
    label: Name
    notes: Notes = ""


class ApiKeyChange(Form):
    passed_over = ("id", "key_prefix", "created_at", "updated_at", "last_used_*", "revoked_at")

    label: Name | None = None
    notes: Notes | None = None
    enabled: Flag | None = None


class Done(BaseModel):
    status: Literal["ok"] = "ok"


def admin_api_keys_app(keys: ClientKeys, access: Access) -> FastAPI:
    app = admin_app("Client keys", access)
    api_keys = _ApiKeys(keys)
    serve(app, "GET", ALL, api_keys.all)
    serve(app, "POST", ALL, api_keys.create, status_code=201)
    serve(app, "GET", ONE, api_keys.one)
    serve(app, "PUT", ONE, api_keys.change)
    serve(app, "DELETE", ONE, api_keys.revoke)
    return app


class _ApiKeys:
    """The handlers; blocking, FastAPI runs them in threads."""

    def __init__(self, keys: ClientKeys) -> None:
        self._keys = keys

    def all(self) -> ApiKeys:
        """All keys by label, revoked ones too."""
        return ApiKeys(items=[ApiKey(**_row(record)) for record in self._keys.list()])

    def one(self, id: KeyId) -> ApiKey:
        return ApiKey(**_row(self._keys.get(id)))

    def create(self, new: NewApiKey) -> MadeApiKey:
        try:
            made = self._keys.create(new.label, new.notes)
        except DuplicateName as taken:
            raise _taken(taken) from taken
        return MadeApiKey(**_row(made.record), api_key=made.key)

    def change(self, id: KeyId, change: ApiKeyChange) -> ApiKey:
        """What is sent changes, the rest stays. 409 for a revoked key."""
        try:
            record = self._keys.change(id, label=change.label, notes=change.notes, enabled=change.enabled)
        except DuplicateName as taken:
            raise _taken(taken) from taken
        return ApiKey(**_row(record))

    def revoke(self, id: KeyId) -> Done:
        """For ever. The key stays in the list, and its label is free again."""
        self._keys.revoke(id)
        return Done()


def _taken(taken: DuplicateName) -> AdminRefusal:
    text = f"another key has the label '{taken.name}'; choose another label, or revoke that key"
    return AdminRefusal(409, text, {"fields": [{"field": "label", "message": text}]})


def _row(record: ClientKey) -> dict[str, Any]:
    return {
        "id": record.key_id,
        "label": record.label,
        "key_prefix": record.prefix,
        "notes": record.notes,
        "enabled": record.enabled,
        "created_at": record.created_at,
        "updated_at": record.updated_at,
        "last_used_at": record.last_used_at,
        "revoked_at": record.revoked_at,
    }
