"""Calls of the admin API as a program on this machine makes them."""

from __future__ import annotations

from typing import Any

import httpx

from shared.store.config_records import EndpointRecord
from shared.store.config_store import ConfigStore
from shared.store.seal import Sealer

KEY = "sk-live-0123456789abcdef-tail"


def client(app: Any, **headers: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:5001", headers=headers, trust_env=False
    )


def add_endpoint(store: ConfigStore, sealer: Sealer | None = None, **fields: Any) -> EndpointRecord:
    """A stored endpoint; with a sealer it has `KEY`, or `api_key`."""
    api_key = fields.pop("api_key", KEY)
    endpoint_id = store.allocate_id("endpoint")
    if sealer is not None:
        fields |= {"sealed_key": sealer.seal(api_key, endpoint_id), "key_hint": api_key[-4:]}
    defaults = {"name": "backend", "url": "https://backend.example", "endpoint_type": "openai"}
    return store.create_endpoint(EndpointRecord(id=endpoint_id, **{**defaults, **fields}))


def wrong_fields(response: httpx.Response) -> list[str]:
    """The fields that a 422 names."""
    assert response.status_code == 422, response.text
    body = response.json()
    assert body["error"]
    return [each["field"] for each in body["fields"] if each["message"]]
