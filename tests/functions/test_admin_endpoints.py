"""Endpoints over the admin API: written carefully, read without their keys."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from functions.admin_endpoints.endpoints import admin_endpoints_app
from shared.gateway.catalog import TargetSpec, VirtualModel
from shared.providers.registry import TYPES
from shared.store.config_store import ConfigStore
from shared.store.seal import KeyFileSealer
from shared.store.tables import Patience, Tables
from shared.web.admin_access import OpenAccess
from shared.web.endpoint_rules import RULES
from tests.functions.admin_calls import KEY, add_endpoint, client, wrong_fields

ROW = (
    "id name url endpoint_type has_api_key api_key_hint priority enabled options version created_at updated_at".split()
)


@pytest.fixture(scope="module")
def app(shared_store: ConfigStore, sealer: KeyFileSealer) -> FastAPI:
    return admin_endpoints_app(shared_store, sealer, OpenAccess())


@pytest.fixture
async def admin(app: FastAPI, store: ConfigStore) -> AsyncIterator[httpx.AsyncClient]:
    async with client(app) as calls:
        yield calls


@pytest.fixture
async def busy(serial_store: ConfigStore, sealer: KeyFileSealer) -> AsyncIterator[httpx.AsyncClient]:
    async with client(admin_endpoints_app(serial_store, sealer, OpenAccess())) as calls:
        yield calls


def use(store: ConfigStore, name: str, *endpoint_ids: int) -> None:
    targets = tuple(TargetSpec(each, "actual") for each in endpoint_ids)
    store.create_virtual_model(VirtualModel(id=0, name=name, targets=targets))


# -- reading and creating ----------------------------------------------------------------------------------------------


async def test_creates_with_the_defaults_of_the_original(admin: httpx.AsyncClient) -> None:
    created = await admin.post("/api/admin/endpoints", json={"name": "mine"})
    assert created.status_code == 201
    body = created.json()
    assert body["status"] == "ok"
    assert set(body) == {*ROW, "status"}
    assert (body["endpoint_type"], body["url"], body["priority"], body["enabled"], body["has_api_key"]) == (
        "openai",
        "https://api.openai.com",
        0,
        True,
        False,
    )
    one = await admin.get(f"/api/admin/endpoints/{body['id']}")
    assert one.json() == {name: body[name] for name in ROW}


async def test_lists_by_name_under_every_name_of_the_route(admin: httpx.AsyncClient) -> None:
    for name in ("b", "c", "a"):
        assert (await admin.post("/endpoints", json={"name": name})).status_code == 201
    for path in ("/api/admin/endpoints", "/endpoints", "/api/endpoints"):
        listed = (await admin.get(path)).json()
        assert [row["name"] for row in listed] == ["a", "b", "c"]
        assert all(list(row) == ROW for row in listed)


@pytest.mark.parametrize(
    ("endpoint_type", "url"),
    [
        ("openai", "https://api.openai.com"),
        ("vllm", "http://127.0.0.1:8000"),
        ("together", "https://api.together.xyz"),
        ("deepinfra", "https://api.deepinfra.com"),
        ("ollama", "http://127.0.0.1:11434"),
        ("anthropic", "https://api.anthropic.com"),
        ("demo", "demo://built-in"),
    ],
)
async def test_a_type_has_its_usual_url(admin: httpx.AsyncClient, endpoint_type: str, url: str) -> None:
    for name, given in (("left out", {}), ("blank", {"url": " "}), ("null", {"url": None})):
        created = await admin.post("/endpoints", json={"name": name, "endpoint_type": endpoint_type, **given})
        assert created.json()["url"] == url


@pytest.mark.parametrize("endpoint_type", ["openwebui", "queue", "runpod"])
async def test_a_type_without_a_usual_url_needs_one(admin: httpx.AsyncClient, endpoint_type: str) -> None:
    answer = await admin.post("/endpoints", json={"name": "x", "endpoint_type": endpoint_type})
    assert wrong_fields(answer) == ["url"]


def test_every_type_has_rules() -> None:
    assert set(RULES) == set(TYPES)


@pytest.mark.parametrize(
    ("endpoint_type", "url"),
    [
        ("openai", "http://localhost:8080/v1/"),
        ("openai", "https://[::1]:8443"),
        ("vllm", "http://10.0.0.7:8000/v1"),
        ("runpod", "abc123def456"),
        ("runpod", "https://api.runpod.ai/v2/abc123/run"),
        ("demo", "demo://built-in"),
    ],
)
async def test_keeps_a_good_url(admin: httpx.AsyncClient, endpoint_type: str, url: str) -> None:
    created = await admin.post("/endpoints", json={"name": "x", "endpoint_type": endpoint_type, "url": f" {url} "})
    assert created.json()["url"] == url


@pytest.mark.parametrize(
    ("endpoint_type", "url"),
    [
        ("openai", "ftp://host"),
        ("openai", "host.example"),
        ("openai", "http://"),
        ("openai", "http://host:99999"),
        ("openai", "http://host:port"),
        ("openai", "https://user:secret@host"),
        ("openai", "https://user@host"),
        ("openai", "https://host/v1#part"),
        ("openai", "https://host/v1?key=1"),
        ("openai", "https://ho st"),
        ("openai", "https://host\r\nx-evil: 1"),
        ("openai", "https://host\\evil"),
        ("openai", "javascript:alert(1)"),
        ("openai", "demo://built-in"),
        ("openai", "https://" + "a" * 2_100),
        ("ollama", "abc123def456"),
        ("runpod", "not an id"),
        ("demo", "http://localhost"),
    ],
)
async def test_refuses_a_bad_url(admin: httpx.AsyncClient, endpoint_type: str, url: str) -> None:
    answer = await admin.post("/endpoints", json={"name": "x", "endpoint_type": endpoint_type, "url": url})
    assert wrong_fields(answer) == ["url"]
    assert "secret" not in answer.text
    assert (await admin.get("/endpoints")).json() == []


@pytest.mark.parametrize(
    ("endpoint_type", "options"),
    [
        ("demo", {"delay_ms": 0}),
        ("ollama", {"num_ctx": 8192, "keep_alive": "10m", "raw": True}),
        ("ollama", {"keep_alive": -1}),
        ("runpod", {"mode": "job", "input_shape": "vllm"}),
        ("queue", {"priority": "HIGH", "source": "me", "stream": False}),
        ("openai", {"developer_role": "system", "max_tokens_field": "max_tokens", "stream_usage": False}),
        ("anthropic", {}),
    ],
)
async def test_keeps_the_options_of_the_type(
    admin: httpx.AsyncClient, endpoint_type: str, options: dict[str, Any]
) -> None:
    body = {"name": "x", "endpoint_type": endpoint_type, "options": options}
    if RULES[endpoint_type].default is None:
        body["url"] = "https://host.example"
    assert (await admin.post("/endpoints", json=body)).json()["options"] == options


@pytest.mark.parametrize(
    ("endpoint_type", "options", "field"),
    [
        ("demo", {"delay_ms": -1}, "options.delay_ms"),
        ("demo", {"delay_ms": True}, "options.delay_ms"),
        ("demo", {"num_ctx": 1}, "options.num_ctx"),
        ("ollama", {"num_ctx": "8k"}, "options.num_ctx"),
        ("ollama", {"keep_alive": "for ever"}, "options.keep_alive"),
        ("openai", {"developer_role": "boss"}, "options.developer_role"),
        ("openai", {"null_content": "yes"}, "options.null_content"),
        ("anthropic", {"anything": 1}, "options.anything"),
        ("openai", [1], "options"),
        ("openai", "text", "options"),
    ],
)
async def test_refuses_options_that_the_type_does_not_read(
    admin: httpx.AsyncClient, endpoint_type: str, options: Any, field: str
) -> None:
    answer = await admin.post("/endpoints", json={"name": "x", "endpoint_type": endpoint_type, "options": options})
    assert wrong_fields(answer) == [field]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "  "),
        ("name", None),
        ("name", 5),
        ("name", "a\nb"),
        ("name", "x" * 129),
        ("endpoint_type", "openai_oauth"),
        ("endpoint_type", None),
        ("api_key", "two words"),
        ("api_key", "line\r\nbreak"),
        ("api_key", "••••1234"),
        ("api_key", "x" * 5_000),
        ("priority", "high"),
        ("priority", -1),
        ("priority", True),
        ("priority", None),
        ("enabled", 2),
        ("enabled", "yes"),
        ("enabled", None),
        ("version", "1"),
        ("bogus", 1),
    ],
)
async def test_names_the_field_that_is_wrong(admin: httpx.AsyncClient, field: str, value: Any) -> None:
    answer = await admin.post("/endpoints", json={"name": "x", field: value})
    assert wrong_fields(answer) == [field]
    assert (await admin.get("/endpoints")).json() == []


async def test_names_every_wrong_field_at_once(admin: httpx.AsyncClient) -> None:
    answer = await admin.post("/endpoints", json={"priority": "x", "enabled": "y", "url": 3, "nope": 1})
    assert sorted(wrong_fields(answer)) == ["enabled", "name", "nope", "priority", "url"]


async def test_passes_over_what_the_original_sends_to_no_effect(admin: httpx.AsyncClient) -> None:
    unused = {"health_check_url": "x", "oauth_enabled": 1, "oauth_client_secret": "hush", "failover": {}}
    created = await admin.post("/endpoints", json={"name": "x", "enabled": 0, "cache_enabled": True, **unused})
    assert created.status_code == 201
    assert created.json()["enabled"] is False
    assert "hush" not in created.text


# -- keys --------------------------------------------------------------------------------------------------------------


async def test_a_key_is_sealed_and_never_comes_back(
    admin: httpx.AsyncClient, store: ConfigStore, sealer: KeyFileSealer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "shared")
    caplog.set_level(logging.DEBUG, "functions")
    created = await admin.post("/endpoints", json={"name": "x", "api_key": f" {KEY} "})
    endpoint_id = created.json()["id"]
    answers = [
        created,
        await admin.get("/endpoints"),
        await admin.get(f"/endpoints/{endpoint_id}"),
        await admin.put(f"/endpoints/{endpoint_id}", json={"priority": 2, "api_key": KEY}),
        await admin.put(f"/endpoints/{endpoint_id}", json={"version": 1, "api_key": KEY}),
        await admin.post("/endpoints", json={"name": "x", "api_key": KEY}),
        await admin.post("/endpoints", json={"name": "y", "api_key": f"{KEY} {KEY}"}),
        await admin.post("/endpoints", json={"name": "y", "api_key": [KEY], KEY[:5]: 1}),
    ]
    assert [answer.status_code for answer in answers] == [201, 200, 200, 200, 409, 409, 422, 422]
    for answer in answers:
        assert KEY not in answer.text
        assert KEY[:-4] not in str(answer.headers)
    assert (created.json()["has_api_key"], created.json()["api_key_hint"]) == (True, "tail")
    assert KEY not in caplog.text
    record = store.get_endpoint(endpoint_id)
    assert record.sealed_key is not None
    assert KEY.encode() not in record.sealed_key
    assert sealer.reveal(record.sealed_key, endpoint_id) == KEY


async def test_a_short_key_gives_no_hint(admin: httpx.AsyncClient) -> None:
    created = await admin.post("/endpoints", json={"name": "x", "api_key": "short-key-12345"})
    assert (created.json()["has_api_key"], created.json()["api_key_hint"]) == (True, None)


@pytest.mark.parametrize("sent", [{}, {"api_key": None}, {"api_key": ""}, {"api_key": "  "}])
async def test_a_blank_key_keeps_the_stored_one(
    admin: httpx.AsyncClient, store: ConfigStore, sealer: KeyFileSealer, sent: dict[str, Any]
) -> None:
    stored = add_endpoint(store, sealer)
    changed = await admin.put(f"/endpoints/{stored.id}", json={"name": "renamed", **sent})
    assert (changed.status_code, changed.json()["has_api_key"], changed.json()["name"]) == (200, True, "renamed")
    assert store.get_endpoint(stored.id).sealed_key == stored.sealed_key


async def test_a_key_is_replaced_or_removed_when_that_is_said(
    admin: httpx.AsyncClient, store: ConfigStore, sealer: KeyFileSealer
) -> None:
    stored = add_endpoint(store, sealer)
    replaced = await admin.put(f"/endpoints/{stored.id}", json={"api_key": "sk-other-0123456789"})
    assert replaced.json()["api_key_hint"] == "6789"
    sealed = store.get_endpoint(stored.id).sealed_key
    assert sealed is not None
    assert sealer.reveal(sealed, stored.id) == "sk-other-0123456789"
    both = await admin.put(f"/endpoints/{stored.id}", json={"api_key": "sk-third", "clear_api_key": True})
    assert wrong_fields(both) == ["clear_api_key"]
    removed = await admin.put(f"/endpoints/{stored.id}", json={"clear_api_key": 1})
    assert (removed.json()["has_api_key"], removed.json()["api_key_hint"]) == (False, None)
    assert store.get_endpoint(stored.id).sealed_key is None


# -- changing ----------------------------------------------------------------------------------------------------------


async def test_a_put_changes_what_it_is_given_and_keeps_the_rest(
    admin: httpx.AsyncClient, store: ConfigStore, sealer: KeyFileSealer
) -> None:
    stored = add_endpoint(store, sealer, priority=7, options={"developer_role": "system"})
    before = (await admin.get(f"/endpoints/{stored.id}")).json()
    changed = (await admin.put(f"/api/admin/endpoints/{stored.id}", json={"enabled": False})).json()
    kept = {name: before[name] for name in ROW if name not in ("enabled", "version", "updated_at")}
    assert {name: changed[name] for name in kept} == kept
    assert (changed["status"], changed["enabled"], changed["version"]) == ("ok", False, 2)


async def test_a_row_can_be_sent_back_as_it_was_read(admin: httpx.AsyncClient, store: ConfigStore) -> None:
    stored = add_endpoint(store, options={"developer_role": "system"})
    row = (await admin.get(f"/endpoints/{stored.id}")).json()
    answer = await admin.put(f"/endpoints/{stored.id}", json=row)
    assert answer.status_code == 200
    moved = {name: answer.json()[name] for name in ("version", "updated_at")}
    assert {name: answer.json()[name] for name in ROW} == row | moved
    nothing = await admin.put(f"/endpoints/{stored.id}", json={})
    assert nothing.json()["version"] == answer.json()["version"]


async def test_a_change_of_type_is_checked_with_the_stored_url(admin: httpx.AsyncClient, store: ConfigStore) -> None:
    stored = add_endpoint(store, endpoint_type="demo", url="demo://built-in", options={"delay_ms": 5})
    answer = await admin.put(f"/endpoints/{stored.id}", json={"endpoint_type": "vllm"})
    assert wrong_fields(answer) == ["url", "options.delay_ms"]
    body = {"endpoint_type": "vllm", "url": "", "options": None}
    answer = await admin.put(f"/endpoints/{stored.id}", json=body)
    assert (answer.json()["url"], answer.json()["options"]) == ("http://127.0.0.1:8000", {})


async def test_a_stale_version_is_told_the_current_row(admin: httpx.AsyncClient, store: ConfigStore) -> None:
    stored = add_endpoint(store)
    assert (await admin.put(f"/endpoints/{stored.id}", json={"priority": 1, "version": 1})).status_code == 200
    stale = await admin.put(f"/endpoints/{stored.id}", json={"priority": 9, "version": 1})
    assert stale.status_code == 409
    assert stale.json()["error"]
    assert stale.json()["current"] == (await admin.get(f"/endpoints/{stored.id}")).json()
    assert stale.json()["current"]["priority"] == 1


async def test_of_many_who_read_the_same_version_one_writes(busy: httpx.AsyncClient, serial_store: ConfigStore) -> None:
    stored = add_endpoint(serial_store)
    answers = await asyncio.gather(
        *(busy.put(f"/endpoints/{stored.id}", json={"priority": n, "version": 1}) for n in range(1, 7))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409, 409, 409]
    written = next(answer.json()["priority"] for answer in answers if answer.status_code == 200)
    assert serial_store.get_endpoint(stored.id).priority == written


async def test_changes_of_different_fields_at_once_are_all_kept(
    busy: httpx.AsyncClient, serial_store: ConfigStore
) -> None:
    stored = add_endpoint(serial_store)
    changes = [{"priority": 5}, {"enabled": False}, {"name": "renamed"}, {"options": {"stream_usage": False}}]
    answers = await asyncio.gather(*(busy.put(f"/endpoints/{stored.id}", json=change) for change in changes))
    assert [answer.status_code for answer in answers] == [200] * 4
    now = serial_store.get_endpoint(stored.id)
    assert (now.priority, now.enabled, now.name, now.options) == (5, False, "renamed", {"stream_usage": False})
    assert now.version == 5


async def test_a_name_is_taken_once(admin: httpx.AsyncClient) -> None:
    first = (await admin.post("/endpoints", json={"name": "a"})).json()["id"]
    second = (await admin.post("/endpoints", json={"name": "b"})).json()["id"]
    for answer in (
        await admin.post("/endpoints", json={"name": "a"}),
        await admin.put(f"/endpoints/{second}", json={"name": "a"}),
    ):
        assert answer.status_code == 409
        assert "'a'" in answer.json()["error"]
        assert answer.json()["fields"][0]["field"] == "name"
    assert (await admin.put(f"/endpoints/{first}", json={"name": "a"})).status_code == 200


@pytest.mark.parametrize("wrong_id", ["77", "0", "-1", "x", "1.5", "9" * 40])
async def test_an_unknown_id_is_a_404(admin: httpx.AsyncClient, wrong_id: str) -> None:
    for answer in (
        await admin.get(f"/endpoints/{wrong_id}"),
        await admin.put(f"/endpoints/{wrong_id}", json={"name": "x"}),
        await admin.delete(f"/endpoints/{wrong_id}"),
        await admin.delete(f"/endpoints/{wrong_id}/delete"),
    ):
        assert answer.status_code == 404
        assert answer.json()["error"]


# -- deleting ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/endpoints/{}", "/endpoints/{}/delete", "/api/admin/endpoints/{}"])
async def test_deletes(admin: httpx.AsyncClient, store: ConfigStore, path: str) -> None:
    stored = add_endpoint(store)
    answer = await admin.delete(path.format(stored.id))
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert (await admin.get("/endpoints")).json() == []


async def test_an_endpoint_in_use_is_deleted_only_with_cascade(admin: httpx.AsyncClient, store: ConfigStore) -> None:
    stored, other = add_endpoint(store), add_endpoint(store, name="other")
    use(store, "fast", stored.id)
    use(store, "both", stored.id, other.id)
    refused = await admin.delete(f"/endpoints/{stored.id}")
    assert refused.status_code == 409
    assert sorted(refused.json()["virtual_models"]) == ["both", "fast"]
    assert all(word in refused.json()["error"] for word in ("fast", "both", "?cascade=true"))
    assert store.get_endpoint(stored.id).version == 1
    assert (await admin.delete(f"/endpoints/{stored.id}?cascade=true")).status_code == 200
    left = store.list_virtual_models()
    assert [(each.name, each.value.targets) for each in left] == [("both", (TargetSpec(other.id, "actual"),))]
    assert wrong_fields(await admin.delete(f"/endpoints/{other.id}?cascade=maybe")) == ["cascade"]


async def test_a_get_deletes_nothing(admin: httpx.AsyncClient, store: ConfigStore) -> None:
    stored = add_endpoint(store)
    for path in (f"/endpoints/{stored.id}/delete", f"/api/admin/endpoints/{stored.id}/delete"):
        answer = await admin.get(path)
        assert (answer.status_code, answer.headers["allow"]) == (405, "DELETE")
        assert f"DELETE /api/admin/endpoints/{stored.id}" in answer.json()["error"]
    assert store.get_endpoint(stored.id).version == 1


# -- what every admin app does -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b'{"name": ', "application/json", 400),
        (b'{"name": "x", "priority": NaN}', "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"1234567890123456789012" + b"[" * 100_000, "application/json", 400),
        (b"name=x", "application/x-www-form-urlencoded", 415),
        (b'{"name": "x"}', "text/plain", 415),
        (b'{"name": "x"}', "", 415),
        (b"[]", "application/json", 422),
        (b'"x"', "application/json", 422),
        (b"null", "application/json", 422),
        (b"", "application/json", 422),
        (b'{"name": "\\ud800"}', "application/json", 422),
        (b'{"name": "x", "\\ud800": 1}', "application/json", 422),
        (b'{"name": "' + b"x" * (1 << 20) + b'"}', "application/json", 413),
    ],
)
async def test_a_bad_body_is_explained(admin: httpx.AsyncClient, body: bytes, content_type: str, status: int) -> None:
    headers = {"content-type": content_type} if content_type else {}
    for answer in (
        await admin.post("/endpoints", content=body, headers=headers),
        await admin.put("/endpoints/1", content=body, headers=headers),
    ):
        assert answer.status_code == status
        assert answer.json()["error"]
        assert "Traceback" not in answer.text
    assert (await admin.get("/endpoints")).json() == []


async def test_unknown_paths_and_methods_answer_in_the_same_shape(admin: httpx.AsyncClient) -> None:
    unknown = await admin.get("/api/admin/nothing")
    assert (unknown.status_code, unknown.json()) == (404, {"error": "Not Found"})
    wrong = await admin.patch("/endpoints/1", json={})
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "DELETE, GET, PUT")
    assert wrong.json()["error"]


async def test_every_answer_has_a_request_id_and_is_not_stored(admin: httpx.AsyncClient) -> None:
    for answer in (
        await admin.get("/endpoints", headers={"x-request-id": "mine-1"}),
        await admin.get("/endpoints/9", headers={"x-request-id": "mine-1"}),
        await admin.post("/endpoints", content=b"{", headers={"x-request-id": "mine-1"}),
    ):
        assert answer.headers.get_list("x-request-id") == ["mine-1"]
        assert answer.headers["cache-control"] == "no-store"
    assert (await admin.get("/endpoints")).headers["x-request-id"].startswith("req_")


async def test_documents_itself(admin: httpx.AsyncClient) -> None:
    reference = (await admin.get("/openapi.json")).json()
    assert set(reference["paths"]) == {
        "/api/admin/endpoints",
        "/api/admin/endpoints/{id}",
        "/api/admin/endpoints/{id}/delete",
    }
    assert reference["paths"]["/api/admin/endpoints"]["post"]["responses"]["422"]["content"]["application/json"][
        "schema"
    ] == {"$ref": "#/components/schemas/Problem"}
    assert (await admin.get("/docs")).status_code == 200


async def test_an_outage_of_the_store_is_a_503(sealer: KeyFileSealer, tmp_path: Path) -> None:
    nowhere = Tables("test", region="eu-central-1", endpoint="http://127.0.0.1:9", patience=Patience(0.2, 0.2, 0))
    async with client(admin_endpoints_app(ConfigStore(nowhere), sealer, OpenAccess())) as admin:
        for answer in (await admin.get("/endpoints"), await admin.post("/endpoints", json={"name": "x"})):
            assert answer.status_code == 503
            assert answer.json()["error"]


class BrokenSealer:
    def seal(self, plaintext: str, endpoint_id: int) -> bytes:
        raise RuntimeError("a defect")

    def reveal(self, sealed: bytes, endpoint_id: int) -> str:
        raise RuntimeError("a defect")


async def test_a_defect_is_logged_and_not_shown(store: ConfigStore, caplog: pytest.LogCaptureFixture) -> None:
    async with client(admin_endpoints_app(store, BrokenSealer(), OpenAccess())) as admin:
        answer = await admin.post("/endpoints", json={"name": "x", "api_key": KEY})
    assert answer.status_code == 500
    assert answer.headers["x-request-id"] in answer.json()["error"]
    assert "defect" not in answer.text
    assert "RuntimeError: a defect" in caplog.text
    assert KEY not in caplog.text


@pytest.mark.parametrize(
    ("endpoint_type", "stored", "moved"),
    [
        ("openai", "https://backend.example/v1", "https://thief.example/v1"),
        ("openai", "https://backend.example", "http://backend.example"),
        ("openai", "https://backend.example", "https://backend.example:8443"),
        ("openai", "https://backend.example", "https://backend.example.thief.example"),
        ("runpod", "abcd1234", "https://thief.example/v2/abcd1234"),
    ],
)
async def test_a_stored_key_does_not_move_to_another_origin(
    admin: httpx.AsyncClient, store: ConfigStore, sealer: KeyFileSealer, endpoint_type: str, stored: str, moved: str
) -> None:
    """Who may change an address but not read the key must not have it sent to a server of his own."""
    endpoint = add_endpoint(store, sealer, url=stored, endpoint_type=endpoint_type)
    path = f"/endpoints/{endpoint.id}"
    for body in ({"url": moved}, {"url": moved, "api_key": " "}, {"url": moved, "enabled": False, "name": "x"}):
        refused = await admin.put(path, json=body)
        assert wrong_fields(refused) == ["api_key"]
        assert KEY not in refused.text
    assert store.get_endpoint(endpoint.id) == endpoint
    brought = (await admin.put(path, json={"url": moved, "api_key": "sk-brought-along-0123456789"})).json()
    assert (brought["url"], brought["api_key_hint"]) == (moved, "6789")
    removed = (await admin.put(path, json={"url": stored, "clear_api_key": True})).json()
    assert (removed["url"], removed["has_api_key"]) == (stored, False)
    assert (await admin.put(path, json={"url": moved})).status_code == 200  # there is nothing to lose


@pytest.mark.parametrize(
    ("endpoint_type", "stored", "changed"),
    [
        ("openai", "https://backend.example", "https://BACKEND.example:443/v1/"),
        ("openai", "http://backend.example:80/a", "http://backend.example/b"),
        ("runpod", "abcd1234", "https://api.runpod.ai/v2/other567"),
    ],
)
async def test_a_stored_key_stays_when_only_the_path_changes(
    admin: httpx.AsyncClient, store: ConfigStore, sealer: KeyFileSealer, endpoint_type: str, stored: str, changed: str
) -> None:
    endpoint = add_endpoint(store, sealer, url=stored, endpoint_type=endpoint_type)
    answer = await admin.put(f"/endpoints/{endpoint.id}", json={"url": changed})
    assert (answer.status_code, answer.json()["has_api_key"]) == (200, True)


async def test_another_type_brings_another_address(
    admin: httpx.AsyncClient, store: ConfigStore, sealer: KeyFileSealer
) -> None:
    """The type's usual address is one, too."""
    endpoint = add_endpoint(store, sealer)
    answer = await admin.put(f"/endpoints/{endpoint.id}", json={"endpoint_type": "anthropic", "url": ""})
    assert wrong_fields(answer) == ["api_key"]


async def test_secret_headers_of_virtual_models_hold_an_endpoint_where_it_is(
    admin: httpx.AsyncClient, store: ConfigStore
) -> None:
    endpoint = add_endpoint(store)
    value = VirtualModel(0, "fast", (TargetSpec(endpoint.id, "m"),), sealed_headers={"x-api-key": "c2VhbGVk"})
    model = store.create_virtual_model(value)
    path, moved = f"/endpoints/{endpoint.id}", {"url": "https://thief.example"}
    refused = await admin.put(path, json=moved)
    assert wrong_fields(refused) == ["url"]
    assert "fast" in refused.json()["error"]
    assert (await admin.put(path, json={"url": f"{endpoint.url}/v1"})).status_code == 200
    store.update_virtual_model(model.id, {"sealed_headers": {}})
    assert (await admin.put(path, json=moved)).status_code == 200
