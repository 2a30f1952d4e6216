"""What the list in docs/security.md has no better place for: path tricks, stored scripts, secrets in what is told."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from moto import mock_aws

from functions.admin_api_keys.api_keys import admin_api_keys_app
from functions.admin_endpoints.endpoints import admin_endpoints_app
from functions.admin_tool_patterns.tool_patterns import admin_tool_patterns_app
from functions.admin_virtual_models.virtual_models import admin_virtual_models_app
from infra.local.router import Router
from infra.routes import ROUTES
from shared.errors import GatewayError
from shared.store.client_keys import ClientKeys
from shared.store.config_store import ConfigStore
from shared.store.limits import LimitTable
from shared.store.seal import KeyFileSealer
from shared.store.tables import Tables
from shared.web.admin_access import OpenAccess
from shared.web.app import send_error
from tests.functions.admin_calls import client

SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'`${7*7}{{7*7}}"


@pytest.mark.parametrize(
    "path",
    [
        "//api/admin/endpoints",
        "/api//admin/endpoints",
        "/api/admin/../admin/endpoints",
        "/session/validate/../../api/admin/endpoints",
        "/v1/../api/admin/endpoints",
        "/v1/models/../../api/admin/endpoints",
        "/API/ADMIN/ENDPOINTS",
        "/api/admin/endpoints%2f",
        "/api/admin/endpoints;x=1",
        "/api/admin/endpoints/1/../../api-keys",
        "/api/admin/endpoints\x00",
        "/health/../api/admin/settings",
        "/.env",
        "/proxy-dashboard/../../etc/passwd",
    ],
)
def test_no_other_spelling_of_a_path_leads_to_an_admin_function(path: str) -> None:
    """Paths are compared as they are: nothing is decoded, folded or walked up on the way."""
    admin = {row.function for row in ROUTES if row.access == "admin"}
    for access in (("client", "public"), ("admin", "public")):
        router = Router(access, send_error)  # type: ignore[arg-type]
        router._app = lambda function: function  # type: ignore[assignment,return-value,method-assign]
        for method in ("GET", "POST", "DELETE"):
            with suppress(GatewayError):
                assert router._find(method, path) not in admin, (method, path)  # type: ignore[comparison-overlap]


@pytest.fixture
async def calls(tmp_path: Path) -> AsyncIterator[dict[str, httpx.AsyncClient]]:
    with mock_aws():
        tables = Tables("test", region="eu-central-1")
        tables.create_missing()
        store, sealer, access = ConfigStore(tables), KeyFileSealer(tmp_path / "key"), OpenAccess()
        found = {
            "endpoints": client(admin_endpoints_app(store, sealer, access)),
            "virtual-models": client(admin_virtual_models_app(store, sealer, access)),
            "tool-patterns": client(admin_tool_patterns_app(store, access)),
            "api-keys": client(admin_api_keys_app(ClientKeys(tables), LimitTable(tables), access)),
        }
        yield found
        for each in found.values():
            await each.aclose()


async def test_a_script_in_any_text_field_comes_back_as_json_text_and_nothing_else(
    calls: dict[str, httpx.AsyncClient],
) -> None:
    bodies = {
        "endpoints": {"name": SCRIPT[:100], "url": "https://x.example"},
        "virtual-models": {
            "name": SCRIPT[:100],
            "targets": [{"endpoint_id": 1, "actual_model": SCRIPT}],
            "description": SCRIPT,
            "system_prompt": SCRIPT,
            "custom_headers": {"x-note": SCRIPT},
        },
        "tool-patterns": {
            "pattern_name": SCRIPT[:100],
            "pattern_type": "xml",
            "regex_pattern": "<script>(.*?)</script>",
            "tool_name": SCRIPT[:100],
            "notes": SCRIPT,
        },
        "api-keys": {"label": SCRIPT[:100], "notes": SCRIPT, "allowed_models": [SCRIPT[:100]]},
    }
    for kind, body in bodies.items():
        for answer in (
            await calls[kind].post(f"/api/admin/{kind}", json=body),
            await calls[kind].get(f"/api/admin/{kind}"),
            await calls[kind].post(f"/api/admin/{kind}", json={**body, "unknown": SCRIPT}),
        ):
            assert answer.status_code in (200, 201, 409, 422), answer.text
            assert answer.headers["content-type"] == "application/json"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["cache-control"] == "no-store"
            answer.json()
        listed = (await calls[kind].get(f"/api/admin/{kind}")).text
        assert "onerror" in listed


async def test_no_error_repeats_what_was_sent(
    calls: dict[str, httpx.AsyncClient], caplog: pytest.LogCaptureFixture
) -> None:
    secret = "sk-very-secret-0123456789"
    for body in (
        {"name": "a", "url": "nowhere", "api_key": secret},
        {"name": "a", "url": "https://x.example", "api_key": [secret]},
        {"name": "a", "url": "https://x.example", "api_key": f"{secret} with spaces"},
        {"name": {"x": secret}, "url": f"https://user:{secret}@x.example"},
    ):
        answer = await calls["endpoints"].post("/api/admin/endpoints", json=body)
        assert answer.status_code == 422
        assert secret not in answer.text
    assert secret not in caplog.text


def test_the_list_names_tests_that_exist() -> None:
    root = Path(__file__).parents[2]
    rows = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", (root / "docs" / "security.md").read_text())
    assert len(rows) > 20
    for file, name in rows:
        text = (root / file).read_text()
        assert not name or f"def {name}(" in text, (file, name)
