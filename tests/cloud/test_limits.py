"""Limits, settings and the import in the cloud: what is counted is one item for all environments, and each role may."""

from __future__ import annotations

import httpx
import pytest

from tests.cloud.conftest import EmulatedCloud
from tests.upstreams.server import Upstream

pytestmark = pytest.mark.cloud

CHAT = "/v1/chat/completions"
QUESTION = [{"role": "user", "content": "hello"}]


def test_a_limited_key_is_counted_refused_and_settled(cloud: EmulatedCloud, model: str) -> None:
    before = len(cloud.denials())
    limits = {"requests_per_minute": 2, "parallel_requests": 2, "tokens_per_minute": 100_000, "daily_budget": 5}
    with cloud.administrator() as admin:
        made = admin.post("/api/admin/api-keys", json={"label": "limited in the cloud", **limits})
        assert made.status_code == 201, made.text
        row = made.json()
        headers = {"authorization": f"Bearer {row['api_key']}"}
        body = {"model": model, "messages": QUESTION, "max_tokens": 10}
        answers = [httpx.post(cloud.url + CHAT, json=body, headers=headers, timeout=60) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429], answers[-1].text
        assert answers[0].headers["x-ratelimit-remaining-requests"] == "1"
        assert int(answers[2].headers["retry-after"]) >= 1
        use = admin.get(f"/api/admin/api-keys/{row['id']}/use").json()
        assert (use["requests_left"], use["in_flight"], use["reserved"]) == (0, 0, 0.0)
        assert use["tokens_left"] < 100_000
        rotated = admin.post(f"/api/admin/api-keys/{row['id']}/rotate", json={})
        assert rotated.status_code == 200, rotated.text
        admin.delete(f"/api/admin/api-keys/{row['id']}").raise_for_status()
    assert cloud.denials()[before:] == []


def test_settings_and_a_document_with_secrets(cloud: EmulatedCloud, upstream: Upstream) -> None:
    before = len(cloud.denials())
    document = f"""
version: 1
endpoints:
  - {{name: imported, url: "{upstream.url}", api_key: {{env: KEY}}}}
virtual_models:
  - name: imported
    targets: [{{endpoint: imported, actual_model: actual-imported}}]
    cost_per_1m_tokens_in: 1
    custom_headers: {{x-api-key: {{env: HEADER}}}}
settings: {{budget_output_tokens: 900}}
"""
    body = {"document": document, "secrets": {"KEY": "sk-of-the-import-012345", "HEADER": "header-of-the-import"}}
    with cloud.administrator() as admin:
        planned = admin.post("/api/admin/config/import", params={"dry_run": "true"}, json=body)
        assert planned.status_code == 200, planned.text
        made = admin.post("/api/admin/config/import", json=body)
        assert [each["action"] for each in made.json()["changes"]] == ["create", "create", "update"], made.text
        assert "sk-of-the-import" not in planned.text + made.text
        assert "name: imported" in admin.get("/api/admin/config/export").text
        settings = admin.put("/api/admin/settings", json={"budget_output_tokens": None})
        assert settings.status_code == 200, settings.text
        told = admin.get("/api/admin/audit", params={"kind": "settings"}).json()["items"]
        assert [each["user"] != "" for each in told[:2]] == [True, True]
    with cloud.client(timeout=60) as client:
        answer = client.post(CHAT, json={"model": "imported", "messages": QUESTION})
        assert answer.status_code == 200, answer.text
    assert upstream.last.headers["authorization"] == "Bearer sk-of-the-import-012345"
    assert upstream.last.headers["x-api-key"] == "header-of-the-import"
    assert cloud.denials()[before:] == []
