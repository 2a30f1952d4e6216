"""Client keys: made, listed, changed, rotated and revoked. A key is shown in the answer that makes it, never again."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated, Literal

from fastapi import FastAPI, Path
from pydantic import BaseModel

from functions.admin_api_keys.schemas import (
    ApiKey,
    ApiKeyChange,
    ApiKeys,
    ApiKeyUse,
    MadeApiKey,
    NewApiKey,
    Rotation,
    key_row,
    use_row,
)
from shared.store.client_key import ClientKey
from shared.store.client_keys import ClientKeys, NewKey
from shared.store.limit_state import standing
from shared.store.limits import LimitTable
from shared.store.refusals import DuplicateName
from shared.web.admin_access import Access
from shared.web.admin_app import admin_app, serve
from shared.web.admin_errors import AdminRefusal

ALL = ("/api/admin/api-keys", "/api/admin/inbound-api-keys")
ONE = tuple(f"{path}/{{id}}" for path in ALL)
ROTATE = ("/api/admin/api-keys/{id}/rotate",)
USE = ("/api/admin/api-keys/{id}/use",)

KeyId = Annotated[str, Path(max_length=64)]


class Done(BaseModel):
    status: Literal["ok"] = "ok"


def admin_api_keys_app(
    keys: ClientKeys, limits: LimitTable, access: Access, now: Callable[[], float] = time.time
) -> FastAPI:
    app = admin_app("Client keys", access)
    api_keys = _ApiKeys(keys, limits, now)
    serve(app, "GET", ALL, api_keys.all)
    serve(app, "POST", ALL, api_keys.create, status_code=201)
    serve(app, "GET", ONE, api_keys.one)
    serve(app, "PUT", ONE, api_keys.change)
    serve(app, "DELETE", ONE, api_keys.revoke)
    serve(app, "POST", ROTATE, api_keys.rotate)
    serve(app, "GET", USE, api_keys.use)
    return app


class _ApiKeys:
    """The handlers; blocking, FastAPI runs them in threads."""

    def __init__(self, keys: ClientKeys, limits: LimitTable, now: Callable[[], float]) -> None:
        self._keys = keys
        self._limits = limits
        self._now = now

    def all(self) -> ApiKeys:
        """All keys by label, revoked ones too."""
        return ApiKeys(items=[self._row(record) for record in self._keys.list()])

    def one(self, id: KeyId) -> ApiKey:
        return self._row(self._keys.get(id))

    def create(self, new: NewApiKey) -> MadeApiKey:
        """409 where a living key has the label."""
        try:
            return self._made(self._keys.create(new.label, new.notes, **new.limits_over(None)))
        except DuplicateName as taken:
            raise _taken(taken) from taken

    def change(self, id: KeyId, change: ApiKeyChange) -> ApiKey:
        """What is sent changes, the rest stays. 409 for a revoked key."""
        try:
            return self._row(self._keys.change(id, **change.changes(self._keys.get(id))))
        except DuplicateName as taken:
            raise _taken(taken) from taken

    def rotate(self, id: KeyId, rotation: Rotation | None = None) -> MadeApiKey:
        """Another secret for the same key: its id, label, limits and usage stay. The old secret opens for a while more,
        so that clients can be changed one by one; a secret before that opens no more. 409 for a revoked key."""
        return self._made(self._keys.rotate(id, (rotation or Rotation()).overlap_seconds))

    def revoke(self, id: KeyId) -> Done:
        """For ever. The key stays in the list, and its label is free again."""
        self._keys.revoke(id)
        return Done()

    def use(self, id: KeyId) -> ApiKeyUse:
        """How much of its limits a key has used."""
        record, state, now = self._keys.get(id), self._limits.state(id), self._now()
        return use_row(state, standing(state, record.limits, now), now)

    def _row(self, record: ClientKey) -> ApiKey:
        return ApiKey(**key_row(record, self._now()))

    def _made(self, made: NewKey) -> MadeApiKey:
        return MadeApiKey(**key_row(made.record, self._now()), api_key=made.key)


def _taken(taken: DuplicateName) -> AdminRefusal:
    text = f"another key has the label '{taken.name}'; choose another label, or revoke that key"
    return AdminRefusal(409, text, {"fields": [{"field": "label", "message": text}]})
