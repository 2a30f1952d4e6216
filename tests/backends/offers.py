"""Offer a backend through the served gateway, as an administrator does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.contract.served import Served


@dataclass(frozen=True)
class Offer:
    """An endpoint and the virtual models on it, which bear the endpoint's name and their own: `litserve/echo`."""

    gateway: Served
    name: str
    endpoint: int
    actual: Mapping[str, str] = field(default_factory=dict)

    def model(self, name: str) -> str:
        return f"{self.name}/{name}"

    def discovered(self) -> list[str]:
        with httpx.Client(base_url=self.gateway.admin, timeout=30) as admin:
            answer = admin.get(f"/api/admin/endpoints/{self.endpoint}/models")
            assert answer.status_code == 200, answer.text
            models: list[str] = answer.json()["models"]
            return models

    def tested(self) -> dict[str, Any]:
        with httpx.Client(base_url=self.gateway.admin, timeout=30) as admin:
            answer = admin.post(f"/api/admin/endpoints/{self.endpoint}/test", json={})
            assert answer.status_code == 200, answer.text
            result: dict[str, Any] = answer.json()
            return result


def offer(gateway: Served, name: str, url: str, models: Mapping[str, str], **fields: Any) -> Offer:
    """Post the endpoint and its virtual models, each with its actual model."""
    with httpx.Client(base_url=gateway.admin, timeout=30) as admin:
        endpoint = _created(admin.post("/api/admin/endpoints", json={"name": name, "url": url, **fields}))
        for model, actual in models.items():
            body = {"name": f"{name}/{model}", "endpoint_id": endpoint, "actual_model": actual}
            _created(admin.post("/api/admin/virtual-models", json=body))
    return Offer(gateway, name, endpoint, models)


def _created(response: httpx.Response) -> int:
    assert response.status_code == 201, f"{response.status_code} {response.text}"
    return int(response.json()["id"])
