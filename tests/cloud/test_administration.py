"""Every admin route once, as an administrator of the deployment: each function can do its work with its own role."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
import pytest

from tests.cloud.conftest import EmulatedCloud
from tests.upstreams.server import Upstream

pytestmark = pytest.mark.cloud

CHAT = "/v1/chat/completions"
QUESTION = [{"role": "user", "content": "hello"}]
_ROLLUP_SECONDS = 40.0  # the window of the event source is 10


@pytest.fixture
def admin(cloud: EmulatedCloud) -> Iterator[httpx.Client]:
    """With a look at the log afterwards: nothing that was asked for may have been denied."""
    before = len(cloud.denials())
    with cloud.administrator() as found:
        yield found
    assert cloud.denials()[before:] == []


def test_only_administrators_are_let_in(cloud: EmulatedCloud) -> None:
    with cloud.client() as client:  # a client's key is no administrator's token
        assert client.get("/api/admin/endpoints").status_code == 401
    bare = httpx.get(cloud.url + "/api/admin/endpoints")
    assert bare.status_code == 401
    assert bare.json()["error"]["code"] == "unauthenticated"


def test_only_clients_with_a_key_are_let_in(cloud: EmulatedCloud, model: str) -> None:
    body = {"model": model, "messages": QUESTION}
    for headers in ({}, {"authorization": "Bearer spk_nonsense"}, {"x-api-key": cloud.told["GATEWAY_KEY"][:-1] + "x"}):
        refused = httpx.post(cloud.url + CHAT, json=body, headers=headers)
        assert (refused.status_code, refused.headers["x-should-retry"]) == (401, "false")


def test_endpoints_and_virtual_models_with_secrets(
    admin: httpx.Client, upstream: Upstream, cloud: EmulatedCloud
) -> None:
    """A provider's key and a secret header are sealed by one function and revealed by another."""
    made = admin.post("/api/admin/endpoints", json={"name": "walk", "url": upstream.url, "api_key": "sk-of-the-walk"})
    assert made.status_code == 201, made.text
    number = made.json()["id"]
    assert "sk-of-the-walk" not in made.text
    body = {
        "name": "walked",
        "targets": [{"endpoint_id": number, "actual_model": "actual-walked"}],
        "custom_headers": {"x-api-key": "a-secret-header"},
    }
    model = admin.post("/api/admin/virtual-models", json=body)
    assert model.status_code == 201, model.text
    assert "a-secret-header" not in model.text
    with cloud.client() as client:
        answer = client.post(CHAT, json={"model": "walked", "messages": QUESTION})
        assert answer.status_code == 200, answer.text
        assert client.get("/v1/models/walked").status_code == 200
    assert upstream.last.headers["authorization"] == "Bearer sk-of-the-walk"
    assert upstream.last.headers["x-api-key"] == "a-secret-header"
    assert admin.post(f"/api/admin/endpoints/{number}/test", json={}).status_code == 200
    assert admin.get(f"/api/admin/endpoints/{number}/models").status_code in (200, 404, 502)
    path = f"/api/admin/virtual-models/{model.json()['id']}"
    assert admin.put(path, json={**body, "description": "seen", "version": model.json()["version"]}).status_code == 200
    assert admin.delete(path).status_code in (200, 204)
    assert admin.delete(f"/api/admin/endpoints/{number}").status_code in (200, 204)


def test_patterns_were_planted_and_can_be_changed(admin: httpx.Client) -> None:
    enabled = {row["pattern_name"]: row["enabled"] for row in admin.get("/api/admin/tool-patterns").json()}
    assert enabled["action"] is False
    assert enabled["hermes"] is True
    draft = {
        "pattern_name": "walk", "pattern_type": "bracket", "regex_pattern": r"\[W:(\w+)\]", "tool_name": "walk",
        "parameter_mapping": {"1": "to"},
    }  # fmt: skip
    tool = {"type": "function", "function": {"name": "walk", "parameters": {"properties": {"to": {"type": "string"}}}}}
    made = admin.post("/api/admin/tool-patterns", json=draft)
    assert made.status_code == 201, made.text
    tried = admin.post("/api/admin/tool-patterns/test", json={"sample": "[W:home]", "tools": [tool], "pattern": draft})
    assert tried.status_code == 200, tried.text
    assert tried.json()["calls"][0]["name"] == "walk"
    assert admin.delete(f"/api/admin/tool-patterns/{made.json()['id']}").status_code in (200, 204)


def test_a_key_is_made_used_and_revoked(admin: httpx.Client, cloud: EmulatedCloud, model: str) -> None:
    made = admin.post("/api/admin/api-keys", json={"label": "walk"})
    assert made.status_code == 201, made.text
    key, number = made.json()["api_key"], made.json()["id"]
    answer = httpx.get(cloud.url + "/v1/models", headers={"x-api-key": key}, timeout=30)
    assert answer.status_code == 200
    assert admin.get("/api/admin/api-keys").status_code == 200
    assert admin.delete(f"/api/admin/api-keys/{number}").status_code in (200, 204)
    # this function has not seen the key yet, and so asks the table
    asked = {"input": "x", "model": model}
    refused = httpx.post(cloud.url + "/v1/embeddings", json=asked, headers={"x-api-key": key}, timeout=30)
    assert refused.status_code == 401


def test_what_was_asked_is_counted_by_the_stream(
    admin: httpx.Client, cloud: EmulatedCloud, model: str, upstream: Upstream
) -> None:
    """Ledger, stream, consumer, roll-ups, usage API: three priced requests, to the cent."""

    def counted() -> int:
        told = admin.get("/api/admin/usage/by_model").raise_for_status().json()
        rows = told if isinstance(told, list) else next(each for each in told.values() if isinstance(each, list))
        return next((int(row["request_count"]) for row in rows if row["virtual_model"] == model), 0)

    before = counted()
    with cloud.client() as client:
        for _ in range(3):
            assert client.post(CHAT, json={"model": model, "messages": QUESTION}).status_code == 200
    deadline = time.monotonic() + _ROLLUP_SECONDS
    while counted() < before + 3:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    rows = admin.get("/api/admin/activity", params={"model": model, "limit": 3}).json()["items"]
    assert len(rows) == 3
    assert all(row["outcome"] == "success" for row in rows)
    assert counted() == before + 3


def test_what_was_changed_is_in_the_audit_log(admin: httpx.Client) -> None:
    assert admin.post("/api/admin/endpoints", json={"name": "audited", "endpoint_type": "demo", "url": ""}).is_success
    rows = admin.get("/api/admin/audit").raise_for_status().json()["items"]
    assert any("audited" in str(row) for row in rows)
    assert any("administrator@example.org" in str(row) for row in rows)
