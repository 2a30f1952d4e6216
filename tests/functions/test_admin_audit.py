"""The audit log: every change of every kind is there, with who made it, and no secret is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from fastapi import FastAPI

from functions.admin_api_keys.api_keys import admin_api_keys_app
from functions.admin_audit.audit import admin_audit_app
from functions.admin_endpoints.endpoints import admin_endpoints_app
from functions.admin_tool_patterns.tool_patterns import admin_tool_patterns_app
from functions.admin_virtual_models.virtual_models import admin_virtual_models_app
from shared.errors import Unauthenticated
from shared.store.actor import Actor
from shared.store.audit import AuditLog, Entry, Wanted, audit_item
from shared.store.audit_entry import MASK
from shared.store.client_keys import ClientKeys
from shared.store.config_store import ConfigStore
from shared.store.limits import LimitTable
from shared.store.refusals import Conflict
from shared.store.seal import KeyFileSealer
from shared.store.tables import Tables
from shared.web.admin_access import Administrator, Role
from shared.web.asgi import Scope, header
from tests.functions.admin_calls import KEY, client

AUDIT = "/api/admin/audit"


class Named:
    """Lets in whoever gives a name, `name` or `name:role`."""

    async def admit(self, scope: Scope) -> Administrator:
        name, _, role = header(scope, b"x-name").partition(":")
        if not name:
            raise Unauthenticated("who is it?")
        roles: dict[str, Role] = {"viewer": "viewer"}
        return Administrator(name, roles.get(role, "admin"))


@pytest.fixture(scope="module")
def apps(shared_tables: Tables, shared_store: ConfigStore, sealer: KeyFileSealer) -> dict[str, FastAPI]:
    access = Named()
    return {
        "endpoints": admin_endpoints_app(shared_store, sealer, access),
        "virtual-models": admin_virtual_models_app(shared_store, sealer, access),
        "tool-patterns": admin_tool_patterns_app(shared_store, access),
        "api-keys": admin_api_keys_app(ClientKeys(shared_tables), LimitTable(shared_tables), access),
        "audit": admin_audit_app(AuditLog(shared_tables), access),
    }


@pytest.fixture
def empty(tables: Tables) -> Iterator[Tables]:
    yield tables
    for model in (tables.audit, tables.api_keys):
        with model.batch_write() as batch:
            for item in model.scan():
                batch.delete(item)


class Admin:
    def __init__(self, apps: dict[str, FastAPI]) -> None:
        self._clients = {name: client(app, **{"x-name": "ada"}) for name, app in apps.items()}

    async def call(self, method: str, path: str, status: int = 200, **options: Any) -> Any:
        answer = await self._clients[path.split("/")[0].split("?")[0]].request(method, f"/api/admin/{path}", **options)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def audit(self, **query: Any) -> list[dict[str, Any]]:
        page: dict[str, Any] = await self.call("GET", "audit", params=query)
        return list(page["items"])

    async def aclose(self) -> None:
        for each in self._clients.values():
            await each.aclose()


@pytest.fixture
async def admin(apps: dict[str, FastAPI], empty: Tables, store: ConfigStore) -> AsyncIterator[Admin]:
    found = Admin(apps)
    yield found
    await found.aclose()


def of(entry: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {each["field"]: (each["before"], each["after"]) for each in entry["changes"]}


async def test_every_change_says_who_when_and_what(admin: Admin) -> None:
    made = await admin.call(
        "POST", "endpoints", 201, json={"name": "one", "url": "https://one.example", "api_key": KEY}
    )
    await admin.call("PUT", f"endpoints/{made['id']}", json={"priority": 5}, headers={"x-name": "bob"})
    await admin.call("PUT", f"endpoints/{made['id']}", json={"priority": 5})  # what changes nothing is no change
    await admin.call("DELETE", f"endpoints/{made['id']}")
    gone, changed, created = await admin.audit()
    assert [each["action"] for each in (gone, changed, created)] == ["delete", "update", "create"]
    assert {(each["kind"], each["subject_id"], each["subject_name"]) for each in (gone, changed, created)} == {
        ("endpoint", str(made["id"]), "one")
    }
    assert [each["user"] for each in (gone, changed, created)] == ["ada", "bob", "ada"]
    assert of(changed) == {"priority": (0, 5)}
    assert of(created)["url"] == (None, "https://one.example")
    assert of(gone)["url"] == ("https://one.example", None)
    assert created["at"] <= changed["at"] <= gone["at"]
    assert all(each["request_id"].startswith("req_") and each["address"] == "127.0.0.1" for each in (gone, created))


async def test_no_secret_is_told(admin: Admin, empty: Tables) -> None:
    endpoint = await admin.call(
        "POST", "endpoints", 201, json={"name": "one", "url": "https://one.example", "api_key": KEY}
    )
    other = KEY[:-8] + "xxxx" + KEY[-4:]
    await admin.call("PUT", f"endpoints/{endpoint['id']}", json={"api_key": other})
    await admin.call("PUT", f"endpoints/{endpoint['id']}", json={"clear_api_key": True})
    body = {
        "name": "fast",
        "targets": [{"endpoint_id": endpoint["id"], "actual_model": "m"}],
        "custom_headers": {"x-api-key": "header-secret-value", "x-team": "blue"},
    }
    model = await admin.call("POST", "virtual-models", 201, json=body)
    await admin.call("PUT", f"virtual-models/{model['id']}", json={"custom_headers": {"x-api-key": "another-value"}})
    key = await admin.call("POST", "api-keys", 201, json={"label": "ci"})
    rotated = await admin.call("POST", f"api-keys/{key['id']}/rotate")
    stored = "".join(item.document for item in empty.audit.scan())
    for secret in (KEY, other, "header-secret-value", "another-value", key["api_key"], rotated["api_key"]):
        assert secret not in stored
        assert secret[12:30] not in stored or len(secret) < 30
    entries = await admin.audit(kind="endpoint")
    assert of(entries[0])["api_key"] == (f"{MASK}tail", None)
    assert of(entries[1])["api_key"] == (f"{MASK}tail", f"{MASK}tail (another one)")
    assert of(entries[2])["api_key"] == (None, f"{MASK}tail")
    assert of((await admin.audit(kind="virtual_model"))[1])["sealed_headers"] == (None, {"x-api-key": MASK})


async def test_keys_and_patterns_and_formats_are_there(admin: Admin) -> None:
    key = await admin.call("POST", "api-keys", 201, json={"label": "ci", "daily_budget": 1.5, "allowed_models": ["a"]})
    await admin.call("PUT", f"api-keys/{key['id']}", json={"daily_budget": 2, "label": "ci2"})
    await admin.call("POST", f"api-keys/{key['id']}/rotate", json={"overlap_seconds": 60})
    await admin.call("DELETE", f"api-keys/{key['id']}")
    await admin.call("PUT", "tool-patterns/builtin:hermes", json={"enabled": False})
    pattern = {"pattern_name": "mine", "pattern_type": "xml", "regex_pattern": "<x>(.*?)</x>", "tool_name": "t"}
    made = await admin.call("POST", "tool-patterns", 201, json=pattern)
    await admin.call("DELETE", f"tool-patterns/{made['id']}")
    told = [(each["kind"], each["action"]) for each in await admin.audit()]
    assert told == [
        ("tool_pattern", "delete"),
        ("tool_pattern", "create"),
        ("formats", "update"),
        ("api_key", "revoke"),
        ("api_key", "rotate"),
        ("api_key", "update"),
        ("api_key", "create"),
    ]
    changed = (await admin.audit(kind="api_key", action="update"))[0]
    assert of(changed) == {"label": ("ci", "ci2"), "daily_budget": (1.5e12, 2e12)}
    assert of((await admin.audit(action="create", subject="ci"))[0])["models"] == (None, ["a"])


async def test_a_cascade_is_one_change_of_several_records(admin: Admin) -> None:
    endpoint = await admin.call("POST", "endpoints", 201, json={"name": "one", "url": "https://one.example"})
    for name in ("a", "b"):
        body = {"name": name, "targets": [{"endpoint_id": endpoint["id"], "actual_model": "m"}]}
        await admin.call("POST", "virtual-models", 201, json=body)
    await admin.call("DELETE", f"endpoints/{endpoint['id']}?cascade=true")
    gone = await admin.audit(action="delete", limit=1)
    assert sorted((each["kind"], each["subject_name"]) for each in gone) == [
        ("endpoint", "one"),
        ("virtual_model", "a"),
        ("virtual_model", "b"),
    ]
    assert len({each["request_id"] for each in gone}) == 1
    assert len({each["id"] for each in gone}) == 3


async def test_a_refused_change_leaves_nothing(admin: Admin, store: ConfigStore) -> None:
    made = await admin.call("POST", "endpoints", 201, json={"name": "one", "url": "https://one.example"})
    await admin.call("POST", "endpoints", 409, json={"name": "one", "url": "https://one.example"})
    await admin.call("PUT", f"endpoints/{made['id']}", 409, json={"priority": 1, "version": 7})
    with pytest.raises(Conflict):
        store.update_endpoint(made["id"], {"priority": 2}, expected=9)
    assert len(await admin.audit()) == 1


async def test_pages_and_filters(admin: Admin) -> None:
    for number in range(7):
        who = {"x-name": "bob" if number % 2 else "ada"}
        made = await admin.call("POST", "api-keys", 201, json={"label": f"Key-{number}"}, headers=who)
    assert [each["subject_name"] for each in await admin.audit(user="bob")] == ["Key-5", "Key-3", "Key-1"]
    assert [each["subject_name"] for each in await admin.audit(subject="key-3")] == ["Key-3"]
    assert [each["subject_name"] for each in await admin.audit(subject=made["id"])] == ["Key-6"]
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = await admin.call("GET", "audit", params={"limit": 3, **({"cursor": cursor} if cursor else {})})
        seen += [each["subject_name"] for each in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == [f"Key-{number}" for number in range(6, -1, -1)]
    all_of_them = await admin.audit()
    assert await admin.audit(until=str(all_of_them[-1]["at"])) == []
    assert len(await admin.audit(since="2020-01-01")) == 7
    assert await admin.audit(since="2090-01-01T00:00:00Z") == []
    await admin.call("GET", "audit", 422, params={"since": "yesterday"})
    await admin.call("GET", "audit", 422, params={"kind": "nothing"})
    await admin.call("GET", "audit", 422, params={"cursor": "x"})


async def test_a_viewer_sees_everything_and_changes_nothing(admin: Admin) -> None:
    made = await admin.call("POST", "endpoints", 201, json={"name": "one", "url": "https://one.example"})
    viewer = {"x-name": "eve:viewer"}
    for path in ("endpoints", f"endpoints/{made['id']}", "virtual-models", "tool-patterns", "api-keys", "audit"):
        await admin.call("GET", path, headers=viewer)
    for method, path in (
        ("POST", "endpoints"),
        ("PUT", f"endpoints/{made['id']}"),
        ("DELETE", f"endpoints/{made['id']}"),
        ("POST", "virtual-models"),
        ("POST", "api-keys"),
        ("POST", "api-keys/x/rotate"),
        ("POST", "tool-patterns"),
    ):
        refused = await admin.call(method, path, 403, headers=viewer, json={})
        assert "viewer" in refused["error"]
    assert len(await admin.audit()) == 1


def test_entries_end_by_themselves_and_months_are_walked(empty: Tables) -> None:
    day = 86_400
    start = 1_700_000_000.0
    for number in range(5):
        entry = Entry("create", "settings", "settings", str(number), [])
        audit_item(empty, [entry], start + number * 40 * day).save()
    log = AuditLog(empty, now=lambda: start + 170 * day)
    assert [each.entry.name for each in log.newest().entries] == ["4", "3", "2", "1", "0"]
    assert [each.entry.name for each in log.newest(wanted=Wanted(since_ms=int((start + 79 * day) * 1e3))).entries] == [
        "4",
        "3",
        "2",
    ]
    late = AuditLog(empty, now=lambda: start + (empty.audit_days + 50) * day)
    assert [each.entry.name for each in late.newest().entries] == ["4", "3", "2"]
    assert log.newest().entries[0].user == Actor().user
